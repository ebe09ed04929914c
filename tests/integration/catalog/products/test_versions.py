"""Editors cannot overwrite each other's changes, and unchanged products are not sent again."""

import asyncio
from datetime import datetime
from email.utils import parsedate_to_datetime
from uuid import UUID, uuid4

import httpx
import pytest

from tests.factories.catalog import ANY_VERSION, MUG, Headers, place_order, post_product
from tests.fixtures.audit import audit_entries

EDITORS, CHANGES = 50, 4


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_change_when_if_match_is_absent_or_stale_then_428_or_412(
    client: httpx.AsyncClient, editor: Headers, method: str
) -> None:
    mug = await post_product(client, editor)
    url = f"/catalog/products/{mug['id']}"
    first = (await client.get(url)).headers["etag"]
    body = {"price": 7} if method == "PATCH" else None
    missing = await client.request(method, url, headers=editor, json=body)
    assert (missing.status_code, missing.json()["code"]) == (428, "precondition_required")
    changed = await client.patch(url, json={"price": 200}, headers=editor | {"If-Match": first})
    second = changed.headers["etag"]
    assert (changed.status_code, second != first) == (200, True)
    for stale in (first, "x", '"2"', '"2-"', f"{first}, x", '"99999999999999999999-' + "0" * 32 + '"'):
        refused = await client.request(method, url, headers=editor | {"If-Match": stale}, json=body)
        assert (refused.status_code, refused.json()["code"]) == (412, "precondition_failed"), stale
    assert (await client.get(url)).json()["price"] == 200
    done = await client.request(method, url, headers=editor | {"If-Match": f"W/{second}"}, json=body)
    assert done.is_success


async def test_get_product_when_unchanged_then_304_until_its_content_changes(
    client: httpx.AsyncClient, editor: Headers
) -> None:
    created = await client.post("/catalog/products", json=MUG | {"tags": ["old"]}, headers=editor)
    url = f"/catalog/products/{created.json()['id']}"
    found = await client.get(url)
    assert found.headers["cache-control"] == "no-cache"
    assert found.headers["vary"] == "Authorization"
    modified = parsedate_to_datetime(found.headers["last-modified"])
    assert modified == datetime.fromisoformat(found.json()["updated_at"]).replace(microsecond=0)
    condition = {"If-None-Match": found.headers["etag"]}
    same = await client.get(url, headers=condition)
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", found.headers["etag"])
    await client.patch("/catalog/tags/old", json={"name": "new"}, headers=editor)
    renamed = await client.get(url, headers=condition)
    assert (renamed.status_code, renamed.json()["tags"]) == (200, ["new"])


@pytest.mark.parametrize("asks", [True, False])
async def test_get_product_when_it_has_the_stock_then_it_is_not_cached_and_has_another_etag(
    client: httpx.AsyncClient, editor: Headers, asks: bool
) -> None:
    """With ?include=stock, or for callers with stock:write."""
    created = await client.post("/catalog/products", json=MUG, headers=editor)
    url = f"/catalog/products/{created.json()['id']}"
    params, headers = ({"include": "stock"}, {}) if asks else ({}, editor)
    found = await client.get(url, params=params, headers=headers)
    assert (found.json()["stock"], found.headers["cache-control"]) == (5, "no-store")
    assert found.headers["etag"] == created.headers["etag"] != (await client.get(url)).headers["etag"]
    same = await client.get(url, params=params, headers=headers | {"If-None-Match": found.headers["etag"]})
    assert same.status_code == 304


async def test_change_when_a_customer_orders_meanwhile_then_the_version_is_still_current(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    mug = await post_product(client, editor)
    url = f"/catalog/products/{mug['id']}"
    etag = (await client.get(url)).headers["etag"]
    assert (await place_order(client, customer, {UUID(mug["id"]): 5})).status_code == 201
    assert (await client.patch(url, json={"price": 7}, headers=editor | {"If-Match": etag})).status_code == 200


@pytest.mark.parametrize("changes", [CHANGES, pytest.param(20, marks=pytest.mark.drill)])
async def test_change_when_50_editors_change_it_at_once_then_none_is_lost(
    client: httpx.AsyncClient, editor: Headers, changes: int
) -> None:
    mug = await post_product(client, editor, price=0)
    url = f"/catalog/products/{mug['id']}"
    limit = asyncio.Semaphore(4)

    async def add_one() -> None:
        while True:
            async with limit:
                found = await client.get(url)
                change = {"price": found.json()["price"] + 1}
                answer = await client.patch(url, json=change, headers=editor | {"If-Match": found.headers["etag"]})
            if answer.status_code == 200:
                return
            assert answer.status_code in {412, 503}, answer.text

    async def edit() -> None:
        for _ in range(changes):
            await add_one()

    await asyncio.gather(*(edit() for _ in range(EDITORS)))
    found = (await client.get(url)).json()
    assert (found["price"], found["version"]) == (EDITORS * changes, EDITORS * changes + 1)


@pytest.mark.parametrize("noun", ["products", "categories"])
async def test_create_when_the_idempotency_key_is_repeated_then_there_is_one(
    client: httpx.AsyncClient, editor: Headers, noun: str
) -> None:
    url, headers = f"/catalog/{noun}", editor | {"Idempotency-Key": uuid4().hex}
    body: dict[str, object] = MUG if noun == "products" else {"name": "Lamp"}
    first, second = [await client.post(url, json=body, headers=headers) for _ in range(2)]
    assert (first.status_code, second.status_code, second.json()) == (201, 201, first.json())
    assert first.headers.get("etag") == second.headers.get("etag")
    assert len((await client.get(url)).json()["items"]) == 1
    other = await client.post(url, json=body | {"name": "Cup"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_changes_of_price_and_status_when_made_then_editors_can_read_them(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    mug = await post_product(client, editor)
    url = f"/catalog/products/{mug['id']}"
    for change in ({"price": 7}, {"status": "archived"}):
        await client.patch(url, json=change, headers=editor | ANY_VERSION)
    found = (await client.get(f"{url}/audit-log", params={"limit": 2}, headers=editor)).json()
    assert [(entry["before"], entry["after"]) for entry in found["items"]] == [
        ({"status": "active"}, {"status": "archived"}),
        ({"price": 150_000}, {"price": 7}),
    ]
    rest = await client.get(f"{url}/audit-log", params={"cursor": found["next_cursor"]}, headers=editor)
    assert [entry["act"] for entry in rest.json()["items"]] == ["product.created"]
    assert (await client.get(f"{url}/audit-log", headers=customer)).status_code == 403
    assert len(await audit_entries(client, "catalog", editor, subject=mug["id"])) == 3
