"""Products are created and changed by editors."""

import json
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.factories.catalog import ANY_VERSION, MUG, Headers, post_product
from tests.fixtures.catalog import product_names


async def test_create_product_when_stock_is_absent_then_it_is_unlimited(
    client: httpx.AsyncClient, editor: Headers
) -> None:
    body = {key: value for key, value in MUG.items() if key != "stock"}
    response = await client.post("/catalog/products", json=body, headers=editor)
    assert response.json()["stock"] is None
    url = f"/catalog/products/{response.json()['id']}"
    found = (await client.get(url, params={"include": "stock"})).json()
    assert (found["stock"], found["availability"]) == (None, "in_stock")


async def test_create_product_when_slug_is_absent_then_the_name_gives_one(
    client: httpx.AsyncClient, editor: Headers
) -> None:
    await post_product(client, editor, slug="mug")
    taken = await client.post("/catalog/products", json=MUG | {"slug": "mug"}, headers=editor)
    assert (taken.status_code, taken.json()["code"]) == (409, "slug_taken")
    first, second = (
        await post_product(client, editor, name="Café à la carte!"),
        await post_product(client, editor, name="Cafe a la carte"),
    )
    assert first["slug"] == "cafe-a-la-carte"
    assert second["slug"].startswith("cafe-a-la-carte-")
    assert (await post_product(client, editor, name="日本"))["slug"] == "ri-ben"
    own_id = str(uuid4())
    assert (await post_product(client, editor, name=own_id))["slug"] != own_id
    assert (await client.post("/catalog/products", json=MUG | {"slug": own_id}, headers=editor)).status_code == 422


async def test_create_product_when_caller_is_no_editor_then_it_is_refused(
    client: httpx.AsyncClient, customer: Headers
) -> None:
    assert (await client.post("/catalog/products", json=MUG)).status_code == 401
    refused = await client.post("/catalog/products", json=MUG, headers=customer)
    assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")


@pytest.mark.parametrize(
    "change",
    [
        {"price": -1}, {"price": 1.5}, {"price": "1"}, {"price": 2**63}, {"price": 1_000_000_001}, {"price": None},
        {"stock": -1}, {"stock": 1.5}, {"stock": True}, {"stock": 2**63},
        {"currency": "ngn"}, {"currency": "EUR"},
        {"name": ""}, {"name": "   "}, {"name": "a\x00b"}, {"name": "\ud800"}, {"name": "a\nb"}, {"name": "x" * 201}, {"name": 7},
        {"description": "\x00"}, {"description": "x" * 10_001},
        {"slug": "A"}, {"slug": "-a"}, {"slug": ""}, {"slug": "a\n"},
        {"tags": ["x"] * 21}, {"tags": [""]}, {"tags": ["\x00"]}, {"tags": "x"},
        {"category_id": "x"}, {"stok": 5},
    ],
)  # fmt: skip
async def test_create_product_when_a_field_is_invalid_then_422(
    client: httpx.AsyncClient, editor: Headers, change: dict[str, Any]
) -> None:
    body = json.dumps(MUG | change).encode()
    response = await client.post(
        "/catalog/products", content=body, headers=editor | {"Content-Type": "application/json"}
    )
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")


@pytest.mark.parametrize("field", ["name", "description", "price", "tags"])
async def test_update_product_when_a_field_is_null_then_422(
    client: httpx.AsyncClient, editor: Headers, field: str
) -> None:
    mug = (await client.post("/catalog/products", json=MUG, headers=editor)).json()
    refused = await client.patch(f"/catalog/products/{mug['id']}", json={field: None}, headers=editor | ANY_VERSION)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
    document = (await client.get("/openapi.json")).json()
    assert "null" not in str(document["components"]["schemas"]["UpdateProduct"]["properties"][field])


async def test_update_product_when_fields_are_given_then_only_they_change(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    mug = await post_product(client, editor, tags=["blue"])
    url = f"/catalog/products/{mug['id']}"
    changed = await client.patch(url, json={"price": 7, "name": "Red Mug", "tags": []}, headers=editor | ANY_VERSION)
    assert changed.status_code == 200, changed.text
    expected = mug | {"version": 2, "price": 7, "name": "Red Mug", "tags": []}
    assert changed.json() | {"updated_at": None} == expected | {"updated_at": None}
    assert await product_names(client, q="red") == ["Red Mug"]
    assert (await client.patch(url, json={}, headers=editor | ANY_VERSION)).json()["price"] == 7
    for bad in ({"stock": 7}, {"price": None}, {"name": None}, {"currency": "USD"}):
        assert (await client.patch(url, json=bad, headers=editor | ANY_VERSION)).status_code == 422, bad
    assert (await client.patch(url, json={"price": 1}, headers=customer | ANY_VERSION)).status_code == 403
    missing = await client.patch(f"/catalog/products/{uuid4()}", json={"price": 1}, headers=editor | ANY_VERSION)
    assert (missing.status_code, missing.json()["code"]) == (404, "product_not_found")


async def test_a_price_with_a_fraction_is_refused_in_a_currency_without_fractions(
    client: httpx.AsyncClient, editor: Headers
) -> None:
    refused = await client.post("/catalog/products", json=MUG | {"currency": "XOF", "price": 150_050}, headers=editor)
    assert (refused.status_code, refused.json()["code"]) == (422, "price_not_whole")
    assert "XOF has no fractions: an amount must be a multiple of 100 subunits" in refused.json()["detail"]
    mug = await post_product(client, editor, currency="XOF", price=150_000)
    url = f"/catalog/products/{mug['id']}"
    refused = await client.patch(url, json={"price": 150_001}, headers=editor | ANY_VERSION)
    assert (refused.status_code, refused.json()["code"]) == (422, "price_not_whole")
    assert (await client.get(url, headers=editor)).json() == mug
    assert (await client.patch(url, json={"price": 200_000}, headers=editor | ANY_VERSION)).json()["price"] == 200_000
