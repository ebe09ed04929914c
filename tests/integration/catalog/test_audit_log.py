"""Changes of the catalog are recorded with the values before and after."""

import httpx

from tests.factories.catalog import ANY_VERSION, Headers
from tests.fixtures.audit import audit_entries


async def test_product_when_created_and_changed_is_recorded(client: httpx.AsyncClient, editor: Headers) -> None:
    body = {"name": "Lamp", "price": 500, "currency": "NGN", "description": "x" * 1_000}
    product = (await client.post("/catalog/products", json=body, headers=editor)).json()
    url = f"/catalog/products/{product['id']}"
    assert (await client.patch(url, json={"price": 600}, headers=editor | ANY_VERSION)).status_code == 200
    changed, created = await audit_entries(client, "catalog", editor, subject=product["id"])
    assert (changed["act"], changed["before"], changed["after"]) == ("product.changed", {"price": 500}, {"price": 600})
    assert (created["act"], created["actor"], created["address"]) == ("product.created", "editor", "127.0.0.1")
    assert (created["after"]["price"], len(created["after"]["description"])) == (500, 200)


async def test_category_when_created_is_recorded(client: httpx.AsyncClient, editor: Headers) -> None:
    category = (await client.post("/catalog/categories", json={"name": "Lamps"}, headers=editor)).json()
    (entry,) = await audit_entries(client, "catalog", editor)
    assert (entry["act"], entry["subject"]) == ("category.created", category["id"])
    assert entry["after"] == {"slug": "lamps", "name": "Lamps", "parent_id": None}


async def test_product_when_the_change_is_refused_is_not_recorded(client: httpx.AsyncClient, editor: Headers) -> None:
    unknown = "/catalog/products/7a0c1c3e-3c7e-4f0e-9a53-0f4c8e3b7c55"
    assert (await client.patch(unknown, json={"price": 600}, headers=editor | ANY_VERSION)).status_code == 404
    assert await audit_entries(client, "catalog", editor) == []
