"""Categories form a tree without cycles and with at most eight levels, also when many editors move them at once."""

import asyncio
import random
from uuid import UUID, uuid4

import httpx

from services.catalog.db import sessions
from tests.factories.catalog import Headers, post_product
from tests.fixtures.audit import audit_entries
from tests.fixtures.catalog import categories_and_parents, product_names

URL = "/catalog/categories"


async def post(client: httpx.AsyncClient, editor: Headers, name: str, parent: str | None = None) -> str:
    created = await client.post(URL, json={"name": name, "parent_id": parent}, headers=editor)
    assert created.status_code == 201, created.text
    return str(created.json()["id"])


async def move(client: httpx.AsyncClient, editor: Headers, category: str, parent: str | None) -> httpx.Response:
    return await client.patch(f"{URL}/{category}", json={"parent_id": parent}, headers=editor)


async def chain(client: httpx.AsyncClient, editor: Headers, length: int) -> list[str]:
    ids: list[str] = []
    for level in range(length):
        ids.append(await post(client, editor, f"Level {level}", ids[-1] if ids else None))
    return ids


async def test_get_category_when_addressed_by_id_or_slug_then_its_place_in_the_tree_is_shown(
    client: httpx.AsyncClient, editor: Headers
) -> None:
    top, middle, bottom = await chain(client, editor, 3)
    for name in (middle, "level-1"):
        found = (await client.get(f"{URL}/{name}")).json()
        assert (found["id"], found["parent_id"]) == (middle, top)
        assert [each["slug"] for each in found["ancestors"]] == ["level-0"]
        assert [each["id"] for each in found["children"]] == [bottom]
    assert [each["slug"] for each in (await client.get(f"{URL}/{bottom}")).json()["ancestors"]] == [
        "level-0",
        "level-1",
    ]
    below = (await client.get(URL, params={"parent": top})).json()["items"]
    assert [each["id"] for each in below] == [middle]
    missing = await client.get(f"{URL}/{uuid4()}")
    assert (missing.status_code, missing.json()["code"]) == (404, "category_not_found")


async def test_list_products_when_filtered_by_category_then_the_whole_subtree_is_listed(
    client: httpx.AsyncClient, editor: Headers
) -> None:
    ids = await chain(client, editor, 3)
    for level, category in enumerate(ids):
        await post_product(client, editor, name=f"Product {level}", category_id=category)
    assert await product_names(client, category="level-0", sort="name") == ["Product 0", "Product 1", "Product 2"]
    assert await product_names(client, category=ids[1], sort="name") == ["Product 1", "Product 2"]


async def test_update_category_when_renamed_and_moved_then_the_products_stay(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    top, middle, bottom = await chain(client, editor, 3)
    await post_product(client, editor, category_id=bottom)
    changed = await client.patch(
        f"{URL}/{middle}", json={"name": "Audio", "slug": "audio", "parent_id": None}, headers=editor
    )
    assert changed.status_code == 200, changed.text
    assert (changed.json()["slug"], changed.json()["parent_id"], changed.json()["ancestors"]) == ("audio", None, [])
    assert await product_names(client, category="audio") == ["Blue Mug"]
    assert await product_names(client, category=top) == []
    (entry, *_) = await audit_entries(client, "catalog", editor, subject=middle)
    assert (entry["act"], entry["before"]["parent_id"], entry["after"]["parent_id"]) == ("category.changed", top, None)
    taken = await client.patch(f"{URL}/{bottom}", json={"slug": "audio"}, headers=editor)
    assert (taken.status_code, taken.json()["code"]) == (409, "slug_taken")
    assert (await client.patch(f"{URL}/{bottom}", json={"name": None}, headers=editor)).status_code == 422
    assert (await client.patch(f"{URL}/{bottom}", json={"name": "x"}, headers=customer)).status_code == 403
    assert (await client.patch(f"{URL}/{uuid4()}", json={"name": "x"}, headers=editor)).status_code == 404
    unknown = await move(client, editor, bottom, str(uuid4()))
    assert (unknown.status_code, unknown.json()["code"]) == (404, "category_not_found")


async def test_update_category_when_it_would_make_a_cycle_then_409(client: httpx.AsyncClient, editor: Headers) -> None:
    top, middle, bottom = await chain(client, editor, 3)
    for target in (top, middle, bottom):
        refused = await move(client, editor, top, target)
        assert (refused.status_code, refused.json()["code"]) == (409, "category_tree_invalid")
        assert "into itself" in refused.json()["detail"]


async def test_create_and_update_category_when_the_tree_would_have_nine_levels_then_409(
    client: httpx.AsyncClient, editor: Headers
) -> None:
    ids = await chain(client, editor, 8)
    too_deep = await client.post(URL, json={"name": "Nine", "parent_id": ids[-1]}, headers=editor)
    assert (too_deep.status_code, too_deep.json()["code"]) == (409, "category_tree_invalid")
    pair = await post(client, editor, "Pair")
    await post(client, editor, "Below the pair", pair)
    assert (await move(client, editor, pair, ids[6])).status_code == 409
    assert (await move(client, editor, pair, ids[5])).status_code == 200


async def test_update_category_when_50_moves_run_at_once_then_there_is_no_cycle(
    client: httpx.AsyncClient, editor: Headers
) -> None:
    ids = [await post(client, editor, f"Category {n}") for n in range(10)]
    rng = random.Random(50)
    pairs = [rng.sample(ids, 2) for _ in range(50)]
    answers = await asyncio.gather(*(move(client, editor, category, parent) for category, parent in pairs))
    statuses = {answer.status_code for answer in answers}
    assert statuses <= {200, 409}, [answer.text for answer in answers if answer.status_code not in {200, 409}]
    assert statuses == {200, 409}
    async with sessions() as session:
        parents = await categories_and_parents(session)
    for category in parents:
        above: list[UUID] = []
        parent = parents[category]
        while parent is not None:
            assert parent not in {category, *above}, "a cycle"
            above.append(parent)
            parent = parents[parent]
        assert len(above) < 8


async def test_delete_category_when_it_has_products_then_they_are_moved_or_detached(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    first, second, third = [await post(client, editor, name) for name in ("First", "Second", "Third")]
    mug = await post_product(client, editor, category_id=first)
    refused = await client.delete(f"{URL}/{first}", headers=editor)
    assert (refused.status_code, refused.json()["code"]) == (409, "category_not_empty")
    assert "subcategories" not in refused.json()["detail"]
    assert (await client.delete(f"{URL}/{first}", headers=customer)).status_code == 403
    for wrong in ("move_to:x", "drop", "move_to:"):
        assert (await client.delete(f"{URL}/{first}", params={"products": wrong}, headers=editor)).status_code == 422
    for target in (uuid4(), first):
        missing = await client.delete(f"{URL}/{first}", params={"products": f"move_to:{target}"}, headers=editor)
        assert (missing.status_code, missing.json()["code"]) == (404, "category_not_found")
    moved = await client.delete(f"{URL}/{first}", params={"products": f"move_to:{second}"}, headers=editor)
    assert moved.status_code == 204
    product = (await client.get(f"/catalog/products/{mug['id']}")).json()
    assert (product["category_id"], product["version"]) == (second, mug["version"] + 1)
    assert (await client.delete(f"{URL}/{second}", params={"products": "detach"}, headers=editor)).status_code == 204
    product = (await client.get(f"/catalog/products/{mug['id']}")).json()
    assert (product["category_id"], product["version"]) == (None, mug["version"] + 2)
    assert (await client.delete(f"{URL}/{third}", headers=editor)).status_code == 204
    assert (await client.delete(f"{URL}/{third}", headers=editor)).status_code == 404
    assert [entry["act"] for entry in await audit_entries(client, "catalog", editor, subject=first)] == [
        "category.deleted",
        "category.created",
    ]


async def test_delete_category_when_it_has_subcategories_then_409(client: httpx.AsyncClient, editor: Headers) -> None:
    top, _ = await chain(client, editor, 2)
    refused = await client.delete(f"{URL}/{top}", params={"products": "detach"}, headers=editor)
    assert (refused.status_code, refused.json()["code"]) == (409, "category_not_empty")
    assert "subcategories" in refused.json()["detail"]
