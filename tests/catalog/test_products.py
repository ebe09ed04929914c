"""Products: made, found, filtered, paged."""

import base64
import itertools
import json
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import text

from services.catalog.db import sessions
from tests.catalog.shop import Headers, product

NOBODY = str(UUID(int=7))
MUG = {"name": "Blue Mug", "price": 150_000, "currency": "NGN", "stock": 5}


async def made(client: httpx.AsyncClient, editor: Headers, **changes: Any) -> dict[str, Any]:
    answer = await client.post("/catalog/products", json=MUG | changes, headers=editor)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def names(client: httpx.AsyncClient, **params: Any) -> list[str]:
    answer = await client.get("/catalog/products", params=params)
    assert answer.status_code == 200, answer.text
    return [item["name"] for item in answer.json()["items"]]


async def test_found_by_id_and_by_slug(client: httpx.AsyncClient, editor: Headers) -> None:
    mug = await made(client, editor, description="Holds tea.", tags=["Kitchen", "blue", "kitchen"])
    assert mug["slug"] == "blue-mug"
    assert mug["tags"] == ["kitchen", "blue"]
    for address in (mug["id"], mug["id"].upper(), "blue-mug"):
        assert (await client.get(f"/catalog/products/{address}")).json() == mug


async def test_absent_stock_is_unlimited(client: httpx.AsyncClient, editor: Headers) -> None:
    body = {key: value for key, value in MUG.items() if key != "stock"}
    answer = await client.post("/catalog/products", json=body, headers=editor)
    assert answer.json()["stock"] is None


@pytest.mark.parametrize("address", [NOBODY, "no-such", "%00", "%0A", "%ED%A0%80", "x" * 200, f"{NOBODY}%0A"])
async def test_unknown_is_404(client: httpx.AsyncClient, address: str) -> None:
    answer = await client.get(f"/catalog/products/{address}")
    assert (answer.status_code, answer.json()["code"]) == (404, "product_not_found")


async def test_slugs(client: httpx.AsyncClient, editor: Headers) -> None:
    await made(client, editor, slug="mug")
    taken = await client.post("/catalog/products", json=MUG | {"slug": "mug"}, headers=editor)
    assert (taken.status_code, taken.json()["code"]) == (409, "slug_taken")
    first, second = (
        await made(client, editor, name="Café à la carte!"),
        await made(client, editor, name="Cafe a la carte"),
    )
    assert first["slug"] == "cafe-a-la-carte"
    assert second["slug"].startswith("cafe-a-la-carte-")
    assert (await made(client, editor, name="日本"))["slug"] == "product"
    own_id = str(uuid4())
    assert (await made(client, editor, name=own_id))["slug"] != own_id
    assert (await client.post("/catalog/products", json=MUG | {"slug": own_id}, headers=editor)).status_code == 422


async def test_only_editors_make_products(client: httpx.AsyncClient, buyer: Headers) -> None:
    assert (await client.post("/catalog/products", json=MUG)).status_code == 401
    refused = await client.post("/catalog/products", json=MUG, headers=buyer)
    assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")


@pytest.mark.parametrize(
    "change",
    [
        {"price": 0}, {"price": -1}, {"price": 1.5}, {"price": "1"}, {"price": 2**63}, {"price": 1_000_000_001}, {"price": None},
        {"stock": -1}, {"stock": 1.5}, {"stock": True}, {"stock": 2**63},
        {"currency": "ngn"}, {"currency": "EUR"},
        {"name": ""}, {"name": "   "}, {"name": "a\x00b"}, {"name": "\ud800"}, {"name": "a\nb"}, {"name": "x" * 201}, {"name": 7},
        {"description": "\x00"}, {"description": "x" * 10_001},
        {"slug": "A"}, {"slug": "-a"}, {"slug": ""}, {"slug": "a\n"},
        {"tags": ["x"] * 21}, {"tags": [""]}, {"tags": ["\x00"]}, {"tags": "x"},
        {"category_id": "x"}, {"stok": 5},
    ],
)  # fmt: skip
async def test_bad_products_are_422(client: httpx.AsyncClient, editor: Headers, change: dict[str, Any]) -> None:
    body = json.dumps(MUG | change).encode()
    answer = await client.post("/catalog/products", content=body, headers=editor | {"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_categories(client: httpx.AsyncClient, editor: Headers, buyer: Headers) -> None:
    answer = await client.post("/catalog/categories", json={"name": "Kitchen & Home"}, headers=editor)
    assert answer.status_code == 201
    category = answer.json()
    assert category["slug"] == "kitchen-home"
    again = await client.post("/catalog/categories", json={"name": "K", "slug": "kitchen-home"}, headers=editor)
    assert (again.status_code, again.json()["code"]) == (409, "slug_taken")
    assert (await client.post("/catalog/categories", json={"name": "K"}, headers=buyer)).status_code == 403
    await client.post("/catalog/categories", json={"name": "Art"}, headers=editor)

    page = (await client.get("/catalog/categories", params={"limit": 1})).json()
    assert [item["slug"] for item in page["items"]] == ["art"]
    rest = (await client.get("/catalog/categories", params={"cursor": page["next_cursor"]})).json()
    assert rest == {"items": [category], "next_cursor": None}

    await made(client, editor, category_id=category["id"])
    await made(client, editor, name="Elsewhere")
    assert await names(client, category="kitchen-home") == ["Blue Mug"]
    assert await names(client, category=category["id"]) == ["Blue Mug"]
    for nowhere in ("no-such", "\x00", "'", str(uuid4())):
        assert await names(client, category=nowhere) == []
    unknown = await client.post("/catalog/products", json=MUG | {"category_id": str(uuid4())}, headers=editor)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "category_not_found")


async def test_text_filter_finds_words_their_beginnings_and_inflections(
    client: httpx.AsyncClient, editor: Headers
) -> None:
    await made(client, editor, name="Wireless/Bluetooth Headphones v2.0", description="For running and listening")
    await made(client, editor, name="Running shoe", description="Light, made by O'Neill")
    for q in (
        "head",
        "wireless blue",
        "HEADPHONES",
        "headphone",
        "v2",
        "listens",
        "bluetooth",
        "wireless/bluetooth",
        "headphones & run",
    ):
        assert await names(client, q=q) == ["Wireless/Bluetooth Headphones v2.0"], q
    assert len(await names(client, q="run")) == 2
    assert await names(client, q="shoes") == ["Running shoe"]
    assert await names(client, q="o'neill") == ["Running shoe"]
    assert await names(client, q="shoe headphones") == []
    assert len(await names(client, q="   ")) == 2


@pytest.mark.parametrize(
    "q", ["'", "''''", "\\", "a\\", "a':*", ":*", "& | ! <-> ()", "!a", "a & ", "\x00", "a\x00b", "%", "\ufffd", "\u200b", "💥",
          "a:b:c", "x " * 100,
          "-", "...", "'a' & 'b", "<script>", "the", "http://a.b/c?d=e", "a@b.c", "1.5e999", "\x7f\x85\u2028"]
)  # fmt: skip
async def test_any_text_can_be_searched_for(client: httpx.AsyncClient, q: str) -> None:
    await product(name="Cup")
    assert (await client.get("/catalog/products", params={"q": q})).status_code == 200


async def test_price_tag_and_currency_filters(client: httpx.AsyncClient, editor: Headers) -> None:
    await made(client, editor, name="cheap", price=100, tags=["a", "b"])
    await made(client, editor, name="dear", price=900, tags=["b"])
    await made(client, editor, name="dollars", price=500, currency="USD")
    assert await names(client, min_price=100, max_price=100) == ["cheap"]
    assert await names(client, min_price=101, currency="NGN") == ["dear"]
    assert await names(client, tag="B", sort="price") == ["cheap", "dear"]
    assert await names(client, tag=["a", "b"]) == ["cheap"]
    assert await names(client, sort="-price") == ["dear", "dollars", "cheap"]
    assert await names(client, sort="newest") == ["dollars", "dear", "cheap"]
    empty = await client.get("/catalog/products", params={"min_price": 2, "max_price": 1})
    assert (empty.status_code, empty.json()["code"]) == (422, "price_range_empty")


@pytest.mark.parametrize(
    "params",
    [{"min_price": -1}, {"max_price": 10**10}, {"min_price": "x"}, {"min_price": "1.5"}, {"sort": "stock"}, {"limit": 0}, {"limit": 101},
     {"limit": 10**9}, {"limit": 10**30}, {"tag": "\x00"}, {"q": "x" * 201}, {"currency": "EUR"}, {"cursor": "x" * 1001}]
)  # fmt: skip
async def test_bad_parameters_are_422(client: httpx.AsyncClient, params: dict[str, Any]) -> None:
    assert (await client.get("/catalog/products", params=params)).status_code == 422


def cursor(*parts: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


@pytest.mark.parametrize("sort", ["newest", "price", "-price", "name"])
@pytest.mark.parametrize(
    "forged",
    ["x", "é", "=", "e30", "bnVsbA", cursor(), cursor("newest"), cursor("newest", 1, "x"), cursor("newest", 2**61, NOBODY),
     cursor("newest", -(2**61), NOBODY), cursor("price", "1", NOBODY), cursor("price", 1, "x"),
     cursor("price", 10**30, NOBODY),
     cursor("price", True, NOBODY), cursor("-price", None, None), cursor("name", "\x00", NOBODY),
     cursor("name", "\ud800", NOBODY),
     cursor("name", [], {}), cursor("orders", 1, NOBODY)]
)  # fmt: skip
async def test_forged_cursors_are_400(client: httpx.AsyncClient, sort: str, forged: str) -> None:
    answer = await client.get("/catalog/products", params={"sort": sort, "cursor": forged})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")


@pytest.mark.parametrize("sort", ["newest", "price", "-price", "name"])
async def test_pages_hold_while_a_thousand_rows_come_and_go(client: httpx.AsyncClient, sort: str) -> None:
    stable = {str(await product(price=100 + n % 5, name=f"👩‍👧 {n % 7} ß")) for n in range(40)}
    come = text(
        "INSERT INTO products (id, slug, name, price, currency)"
        " SELECT gen_random_uuid(), 'goes-' || gen_random_uuid(), n % 9 || ' new', 98 + n % 9, 'NGN'"
        " FROM generate_series(1, 250) n"
    )
    go = text("DELETE FROM products WHERE slug LIKE 'goes%' AND price % 2 = 0")
    seen: list[str] = []
    params: dict[str, Any] = {"sort": sort, "limit": 7}
    for page_number in itertools.count():
        page = (await client.get("/catalog/products", params=params)).json()
        seen += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
        async with sessions.begin() as session:
            for change in ([come] if page_number < 4 else []) + [go]:
                await session.execute(change)
    assert page_number >= 4
    found = [each for each in seen if each in stable]
    assert len(found) == len(stable)
    assert set(found) == stable
    assert len(seen) == len(set(seen))


async def test_change(client: httpx.AsyncClient, editor: Headers, buyer: Headers) -> None:
    mug = await made(client, editor, tags=["blue"])
    address = f"/catalog/products/{mug['id']}"
    changed = await client.patch(
        address, json={"price": 7, "stock": None, "name": "Red Mug", "tags": []}, headers=editor
    )
    assert changed.status_code == 200, changed.text
    expected = mug | {"price": 7, "stock": None, "name": "Red Mug", "tags": []}
    assert changed.json() | {"updated_at": None} == expected | {"updated_at": None}
    assert await names(client, q="red") == ["Red Mug"]
    assert (await client.patch(address, json={}, headers=editor)).json()["price"] == 7
    for bad in ({"price": None}, {"name": None}, {"currency": "USD"}, {"price": 0}):
        assert (await client.patch(address, json=bad, headers=editor)).status_code == 422, bad
    assert (await client.patch(address, json={"price": 1}, headers=buyer)).status_code == 403
    nowhere = await client.patch(f"/catalog/products/{uuid4()}", json={"price": 1}, headers=editor)
    assert (nowhere.status_code, nowhere.json()["code"]) == (404, "product_not_found")
