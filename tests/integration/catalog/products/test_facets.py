"""Facets: how many products of a list have each tag, and are in each subcategory."""

from typing import Any

import httpx
from sqlalchemy import text

from services.catalog.db import sessions
from tests.factories.catalog import Headers, post_product

MANY = """
INSERT INTO products (id, slug, name, price, currency)
SELECT gen_random_uuid(), 'many-' || n, 'Cup ' || n, n, 'NGN' FROM generate_series(1, 1001) AS n
"""


async def facets(client: httpx.AsyncClient, **params: Any) -> tuple[bool, dict[str, int], dict[str, int]]:
    """Return the facets of a list: whether they are complete, tags and categories with their counts."""
    response = await client.get("/catalog/products", params={**params, "facets": "true", "limit": 1})
    found = response.json()["facets"]
    tags = {tag["name"]: tag["products"] for tag in found["tags"]}
    return found["complete"], tags, {category["name"]: category["products"] for category in found["categories"]}


async def add_category(client: httpx.AsyncClient, editor: Headers, name: str, parent_id: str | None = None) -> str:
    body = {"name": name, "parent_id": parent_id}
    return str((await client.post("/catalog/categories", json=body, headers=editor)).json()["id"])


async def test_facets_when_products_have_tags_and_categories_then_each_filter_is_counted(
    client: httpx.AsyncClient, editor: Headers
) -> None:
    home = await add_category(client, editor, "Home")
    kitchen = await add_category(client, editor, "Kitchen", home)
    cups = await add_category(client, editor, "Cups", kitchen)
    garden = await add_category(client, editor, "Garden", home)
    office = await add_category(client, editor, "Office")
    for name, category, tags in (
        ("Blue mug", cups, ["blue", "new"]), ("Red mug", cups, ["red"]), ("Pan", kitchen, ["new", "red"]), ("Spade", garden, ["red"]),
        ("Blue pen", office, ["blue"]), ("Nothing", None, []), ("Desk", office, ["azure"]),
    ):  # fmt: skip
        await post_product(client, editor, name=name, category_id=category, tags=tags)
    assert (await facets(client)) == (
        True,
        {"red": 3, "blue": 2, "new": 2, "azure": 1},
        {"Home": 4, "Office": 2},
    )
    assert (await facets(client, category="home"))[2] == {"Kitchen": 3, "Garden": 1}
    assert (await facets(client, category="kitchen"))[2] == {"Cups": 2}
    assert (await facets(client, category="cups"))[1:] == ({"blue": 1, "new": 1, "red": 1}, {})
    assert await facets(client, q="mug") == (True, {"blue": 1, "new": 1, "red": 1}, {"Home": 2})
    assert await facets(client, q="mug", tag="blue", sort="price", currency="NGN") == (
        True,
        {"blue": 1, "new": 1},
        {"Home": 1},
    )
    assert await facets(client, q="unknown") == (True, {}, {})
    assert await facets(client, category="unknown") == (True, {}, {})
    assert (await facets(client, availability="in_stock"))[0] is False
    assert await facets(client, availability="in_stock", category="unknown") == (False, {}, {})
    merged = await client.patch("/catalog/tags/azure", json={"name": "blue", "merge": True}, headers=editor)
    assert merged.status_code == 200
    assert (await facets(client))[1] == {"red": 3, "blue": 3, "new": 2}
    assert (await client.delete("/catalog/tags/red", headers=editor)).status_code == 204
    assert (await facets(client))[1] == {"blue": 3, "new": 2}
    assert "facets" not in (await client.get("/catalog/products")).json()


async def test_facets_when_more_than_1000_products_match_then_they_are_not_complete(
    client: httpx.AsyncClient, editor: Headers
) -> None:
    await post_product(client, editor, name="Old cup", tags=["old"])
    async with sessions.begin() as session:
        await session.execute(text(MANY))
    await post_product(client, editor, name="New cup", tags=["new"])
    assert await facets(client) == (False, {"new": 1}, {})
    assert await facets(client, q="old") == (True, {"old": 1}, {})
    assert (await facets(client, q="cup"))[0] is False
