"""Categories are created by editors, listed, and used as a filter of products."""

from uuid import uuid4

import httpx

from tests.factories.catalog import MUG, Headers, post_product
from tests.fixtures.catalog import product_names


async def test_categories_when_created_then_listed_and_usable_as_filter(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    response = await client.post("/catalog/categories", json={"name": "Kitchen & Home"}, headers=editor)
    assert response.status_code == 201
    category = response.json()
    assert category["slug"] == "kitchen-home"
    again = await client.post("/catalog/categories", json={"name": "K", "slug": "kitchen-home"}, headers=editor)
    assert (again.status_code, again.json()["code"]) == (409, "slug_taken")
    assert (await client.post("/catalog/categories", json={"name": "K"}, headers=customer)).status_code == 403
    await client.post("/catalog/categories", json={"name": "Art"}, headers=editor)

    page = (await client.get("/catalog/categories", params={"limit": 1})).json()
    assert [item["slug"] for item in page["items"]] == ["art"]
    rest = (await client.get("/catalog/categories", params={"cursor": page["next_cursor"]})).json()
    listed = {name: category[name] for name in ("id", "slug", "name", "parent_id")}
    assert rest == {"items": [listed], "next_cursor": None}

    await post_product(client, editor, category_id=category["id"])
    await post_product(client, editor, name="Elsewhere")
    assert await product_names(client, category="kitchen-home") == ["Blue Mug"]
    assert await product_names(client, category=category["id"]) == ["Blue Mug"]
    for missing in ("no-such", "\x00", "'", str(uuid4())):
        assert await product_names(client, category=missing) == []
    unknown = await client.post("/catalog/products", json=MUG | {"category_id": str(uuid4())}, headers=editor)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "category_not_found")
