"""Pages of a list of products, also while products are added and deleted."""

import base64
import itertools
import json
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from services.catalog.db import sessions
from tests.factories.catalog import Headers, create_product, post_product

UNKNOWN_ID = str(UUID(int=7))


def cursor(*parts: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


@pytest.mark.parametrize("sort", ["newest", "price", "-price", "name"])
@pytest.mark.parametrize(
    "forged",
    ["x", "é", "=", "e30", "bnVsbA", cursor(), cursor("newest"), cursor("newest", 1, "x"), cursor("newest", 2**61, UNKNOWN_ID),
     cursor("newest", -(2**61), UNKNOWN_ID), cursor("price", "1", UNKNOWN_ID), cursor("price", 1, "x"),
     cursor("price", 10**30, UNKNOWN_ID),
     cursor("price", True, UNKNOWN_ID), cursor("-price", None, None), cursor("name", "\x00", UNKNOWN_ID),
     cursor("name", "\ud800", UNKNOWN_ID),
     cursor("name", [], {}), cursor("orders", 1, UNKNOWN_ID)]
)  # fmt: skip
async def test_list_products_when_cursor_is_forged_then_400(client: httpx.AsyncClient, sort: str, forged: str) -> None:
    response = await client.get("/catalog/products", params={"sort": sort, "currency": "NGN", "cursor": forged})
    assert (response.status_code, response.json()["code"]) == (400, "invalid_cursor")


@pytest.mark.parametrize("sort", ["newest", "price", "-price", "name"])
async def test_list_products_when_rows_change_between_pages_then_each_product_is_listed_once(
    client: httpx.AsyncClient, sort: str
) -> None:
    stable = {str(await create_product(price=100 + n % 5, name=f"👩‍👧 {n % 7} ß")) for n in range(40)}
    insert = text(
        "INSERT INTO products (id, slug, name, price, currency)"
        " SELECT gen_random_uuid(), 'temporary-' || gen_random_uuid(), n % 9 || ' new', 98 + n % 9, 'NGN'"
        " FROM generate_series(1, 250) n"
    )
    remove = text("DELETE FROM products WHERE slug LIKE 'temporary%' AND price % 2 = 0")
    seen: list[str] = []
    params: dict[str, Any] = {"sort": sort, "currency": "NGN", "limit": 7}
    for page_number in itertools.count():
        page = (await client.get("/catalog/products", params=params)).json()
        seen += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
        async with sessions.begin() as session:
            for change in ([insert] if page_number < 4 else []) + [remove]:
                await session.execute(change)
    assert page_number >= 4
    listed = [each for each in seen if each in stable]
    assert len(listed) == len(stable)
    assert set(listed) == stable
    assert len(seen) == len(set(seen))


async def test_list_products_when_names_are_long_in_any_script_then_cursors_have_at_most_500_characters(
    client: httpx.AsyncClient, editor: Headers
) -> None:
    names = [letter * 200 for letter in ("𓀀", "語", "ẞ", '"', "\\", "ﷺ", "𐐀", "İ", "é")]
    created = [(await post_product(client, editor, name=name))["id"] for name in [*names, *names[:3]]]
    found = []
    params: dict[str, Any] = {"sort": "name", "limit": 1}
    while "cursor" not in params or params["cursor"] is not None:
        page = (await client.get("/catalog/products", params=params)).json()
        found += [item["id"] for item in page["items"]]
        params["cursor"] = page["next_cursor"]
        assert len(params["cursor"] or "") <= 500
    assert sorted(found) == sorted(created)
