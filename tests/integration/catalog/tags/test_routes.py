"""Tags are listed with the number of their products, renamed, merged and deleted."""

import asyncio
from collections import Counter

import httpx

from tests.factories.catalog import ANY_VERSION, Headers, post_product
from tests.fixtures.audit import audit_entries
from tests.fixtures.catalog import product_names

URL = "/catalog/tags"


async def counts(client: httpx.AsyncClient) -> dict[str, int]:
    """Return the number of products of each tag."""
    return {item["name"]: item["products"] for item in (await client.get(URL)).json()["items"]}


async def tags_of(client: httpx.AsyncClient, slug: str) -> list[str]:
    tags: list[str] = (await client.get(f"/catalog/products/{slug}")).json()["tags"]
    return tags


async def test_list_tags_when_products_have_them_then_each_is_listed_with_its_count(
    client: httpx.AsyncClient, editor: Headers
) -> None:
    await post_product(client, editor, name="One", tags=["New", "audio"])
    await post_product(client, editor, name="Two", tags=["audio"])
    assert await counts(client) == {"audio": 2, "new": 1}
    page = (await client.get(URL, params={"limit": 1})).json()
    assert [item["name"] for item in page["items"]] == ["audio"]
    rest = (await client.get(URL, params={"cursor": page["next_cursor"]})).json()
    assert rest == {"items": [{"name": "new", "products": 1}], "next_cursor": None}


async def test_update_tag_when_renamed_then_all_its_products_have_the_new_name(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    await post_product(client, editor, name="One", tags=["headphone", "new"])
    assert (await client.patch(f"{URL}/headphone", json={"name": "x"}, headers=customer)).status_code == 403
    renamed = await client.patch(f"{URL}/HEADPHONE", json={"name": "Headphones"}, headers=editor)
    assert (renamed.status_code, renamed.json()) == (200, {"name": "headphones", "products": 1})
    assert await tags_of(client, "one") == ["headphones", "new"]
    assert await product_names(client, tag="headphone") == []
    same = await client.patch(f"{URL}/headphones", json={"name": "headphones"}, headers=editor)
    assert same.json() == {"name": "headphones", "products": 1}
    missing = await client.patch(f"{URL}/headphone", json={"name": "x"}, headers=editor)
    assert (missing.status_code, missing.json()["code"]) == (404, "tag_not_found")
    (entry,) = await audit_entries(client, "catalog", editor, subject="headphone")
    assert (entry["act"], entry["before"], entry["after"]) == (
        "tag.renamed",
        {"name": "headphone"},
        {"name": "headphones"},
    )


async def test_update_tag_when_the_name_is_used_then_merge_is_needed_and_no_product_has_it_twice(
    client: httpx.AsyncClient, editor: Headers
) -> None:
    await post_product(client, editor, name="Both", tags=["cans", "headphones"])
    await post_product(client, editor, name="Old", tags=["cans"])
    refused = await client.patch(f"{URL}/cans", json={"name": "headphones"}, headers=editor)
    assert (refused.status_code, refused.json()["code"]) == (409, "tag_exists")
    merged = await client.patch(f"{URL}/cans", json={"name": "headphones", "merge": True}, headers=editor)
    assert (merged.status_code, merged.json()) == (200, {"name": "headphones", "products": 2})
    assert (await tags_of(client, "both"), await tags_of(client, "old")) == (["headphones"], ["headphones"])


async def test_delete_tag_then_its_products_keep_their_other_tags(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    await post_product(client, editor, name="One", tags=["old", "audio"])
    assert (await client.delete(f"{URL}/old", headers=customer)).status_code == 403
    assert (await client.delete(f"{URL}/old", headers=editor)).status_code == 204
    assert await tags_of(client, "one") == ["audio"]
    assert (await client.delete(f"{URL}/old", headers=editor)).status_code == 404


async def test_set_tags_when_editors_create_and_delete_the_same_tags_at_once_then_no_request_fails(
    client: httpx.AsyncClient, editor: Headers
) -> None:
    products = [await post_product(client, editor, name=f"Product {n}") for n in range(4)]

    async def tag(number: int) -> int:
        names = ["a", "b", "c"] if number % 2 else ["c", "b", "a"]
        url = f"/catalog/products/{products[number % 4]['id']}"
        return (await client.patch(url, json={"tags": names}, headers=editor | ANY_VERSION)).status_code

    async def remove(name: str) -> int:
        return (await client.delete(f"{URL}/{name}", headers=editor)).status_code

    requests = [call for n in range(12) for call in (tag(n), remove("abc"[n % 3]))]
    assert set(await asyncio.gather(*requests)) <= {200, 204, 404}
    tagged = Counter([tag for product in products for tag in await tags_of(client, product["id"])])
    assert {tag: number for tag, number in (await counts(client)).items() if number} == tagged


async def test_list_products_when_tags_were_merged_renamed_and_deleted_then_the_filter_follows(
    client: httpx.AsyncClient, editor: Headers
) -> None:
    for name, tags in (
        ("one", ["red"]),
        ("two", ["crimson"]),
        ("three", ["crimson", "scarlet"]),
        ("four", ["scarlet"]),
    ):
        await post_product(client, editor, name=name, tags=tags)
    for source, target in (("scarlet", "crimson"), ("crimson", "red")):
        merge = {"name": target, "merge": True}
        assert (await client.patch(f"/catalog/tags/{source}", json=merge, headers=editor)).status_code == 200
    assert await product_names(client, tag="red", sort="name") == ["four", "one", "three", "two"]
    assert await product_names(client, tag="crimson") == []
    assert (await client.patch("/catalog/tags/red", json={"name": "rot"}, headers=editor)).status_code == 200
    assert len(await product_names(client, tag="rot")) == 4
    await post_product(client, editor, name="five", tags=["crimson"])
    assert await product_names(client, tag="crimson") == ["five"]
    assert (await client.delete("/catalog/tags/rot", headers=editor)).status_code == 204
    await post_product(client, editor, name="six", tags=["rot"])
    assert await product_names(client, tag="rot") == ["six"]
