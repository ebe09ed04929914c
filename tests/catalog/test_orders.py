"""Orders: priced and reserved when they are placed, seen by their owner, given up."""

import asyncio
import json
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tests.catalog.shop import Headers, handle, left, order, placed, product, status, succeeded
from tests.conftest import ADMIN, Signer


async def test_an_order_has_its_price_and_its_stock(client: httpx.AsyncClient, buyer: Headers) -> None:
    cup, tea = await product(5, price=300), await product(None, price=1000, name="Tea")
    answer = await order(client, buyer, {cup: 2, tea: 3})
    assert answer.status_code == 201
    found = answer.json()
    assert (found["status"], found["amount"], found["currency"]) == ("pending", 3600, "NGN")
    assert [(item["product_id"], item["quantity"], item["unit_price"], item["amount"]) for item in found["items"]] == [
        (str(cup), 2, 300, 600),
        (str(tea), 3, 1000, 3000),
    ]
    assert found["expires_at"] > found["created_at"]
    assert (await client.get(f"/catalog/orders/{found['id']}", headers=buyer)).json() == found
    assert (await left(cup), await left(tea)) == (3, None)


async def test_exactly_what_is_there_is_sold(client: httpx.AsyncClient, signer: Signer) -> None:
    cup = await product(10)
    buyers = [signer.headers(f"buyer-{n}") for n in range(400)]
    door = asyncio.Semaphore(15)  # as many as there are connections: whoever waits longer for one gets a 503

    async def buy(headers: Headers) -> int:
        async with door:
            return (await order(client, headers, {cup: 1})).status_code

    answers = await asyncio.gather(*(buy(headers) for headers in buyers))
    assert {code: answers.count(code) for code in set(answers)} == {201: 10, 409: 390}
    assert await left(cup) == 0


async def test_carts_of_the_same_products_in_any_order_do_not_block_each_other(
    client: httpx.AsyncClient, buyer: Headers
) -> None:
    products = [await product(1000) for _ in range(5)]
    carts = [dict.fromkeys(products[n % 5 :] + products[: n % 5], 1) for n in range(60)]
    door = asyncio.Semaphore(15)

    async def buy(cart: dict[UUID, int]) -> int:
        async with door:
            return (await order(client, buyer, cart)).status_code

    assert set(await asyncio.gather(*(buy(cart) for cart in carts))) == {201}
    assert [await left(each) for each in products] == [940] * 5


async def test_two_lines_of_one_product_are_one(client: httpx.AsyncClient, buyer: Headers) -> None:
    cup = await product(3)
    lines = [{"product_id": str(cup), "quantity": 2}, {"product_id": str(cup), "quantity": 2}]
    answer = await client.post("/catalog/orders", json={"items": lines}, headers=buyer)
    assert answer.status_code == 409
    assert answer.json()["code"] == "out_of_stock"
    assert answer.json()["products"] == [{"product_id": str(cup), "name": "Cup", "wanted": 4, "left": 3}]
    assert await left(cup) == 3
    lines[1]["quantity"] = 1
    found = (await client.post("/catalog/orders", json={"items": lines}, headers=buyer)).json()
    assert [item["quantity"] for item in found["items"]] == [3]
    assert await left(cup) == 0


async def test_nothing_is_reserved_where_one_product_is_short(client: httpx.AsyncClient, buyer: Headers) -> None:
    enough, short, unlimited = await product(5), await product(1, name="Rare"), await product(None)
    answer = await order(client, buyer, {enough: 1, unlimited: 1, short: 2})
    assert answer.status_code == 409
    assert [each["name"] for each in answer.json()["products"]] == ["Rare"]
    assert (await left(enough), await left(short)) == (5, 1)


async def test_a_later_price_does_not_change_an_order(
    client: httpx.AsyncClient, buyer: Headers, editor: Headers
) -> None:
    cup = await product(5, price=300)
    placed_ = (await order(client, buyer, {cup: 1})).json()
    await client.patch(f"/catalog/products/{cup}", json={"price": 999, "name": "Grail"}, headers=editor)
    found = (await client.get(f"/catalog/orders/{placed_['id']}", headers=buyer)).json()
    assert (found["amount"], found["items"][0]["name"]) == (300, "Cup")
    await handle(succeeded(UUID(placed_["id"]), "r1", 300))
    assert await status(UUID(placed_["id"])) == "delivered"


@pytest.mark.parametrize(
    "quantity", ["0", "-1", "2147483648", "1001", "1.5", "1e308", "1e3", '"1"', "NaN", "null", "true", "[]", "9" * 5000]
)
async def test_bad_quantities_are_refused(client: httpx.AsyncClient, buyer: Headers, quantity: str) -> None:
    cup = await product(5)
    body = f'{{"items": [{{"product_id": "{cup}", "quantity": {quantity}}}]}}'
    answer = await client.post("/catalog/orders", content=body, headers=buyer | {"Content-Type": "application/json"})
    assert answer.status_code in {400, 422}, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert await left(cup) == 5


@pytest.mark.parametrize(
    "body", ["", "null", "[]", "{}", '{"items": []}', '{"items": null}', '{"items": [{}]}', "{", "[" * 20_000,
             '{"items": [{"product_id": "x", "quantity": 1}]}',
             '{"items": "\\ud800"}']
)  # fmt: skip
async def test_bad_bodies_are_refused(client: httpx.AsyncClient, buyer: Headers, body: str) -> None:
    answer = await client.post("/catalog/orders", content=body, headers=buyer | {"Content-Type": "application/json"})
    assert answer.status_code in {400, 422}, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


async def test_too_many_lines(client: httpx.AsyncClient, buyer: Headers) -> None:
    cup = await product()
    lines = [{"product_id": str(cup), "quantity": 1}]
    assert (await client.post("/catalog/orders", json={"items": lines * 51}, headers=buyer)).status_code == 422
    assert (await client.post("/catalog/orders", json={"items": lines * 50}, headers=buyer)).status_code == 201


async def test_refusals_that_need_the_products(client: httpx.AsyncClient, buyer: Headers) -> None:
    naira, dollars, dear = await product(), await product(currency="USD"), await product(price=1_000_000_000)
    for lines, code, sent in (
        ({uuid4(): 1}, "product_not_found", 404),
        ({naira: 1, dollars: 1}, "currencies_differ", 422),
        ({dear: 2}, "amount_too_large", 422),
    ):
        answer = await order(client, buyer, lines)
        assert (answer.status_code, answer.json()["code"]) == (sent, code)


async def test_orders_are_their_owners(
    client: httpx.AsyncClient, buyer: Headers, other: Headers, signer: Signer
) -> None:
    mine = await placed(client, buyer, {await product(5): 1})
    address = f"/catalog/orders/{mine}"
    assert (await client.get(address)).status_code == 401
    for answer in (await client.get(address, headers=other), await client.post(f"{address}/cancel", headers=other)):
        assert (answer.status_code, answer.json()["code"]) == (404, "order_not_found")
    assert (await client.get("/catalog/orders", headers=other)).json() == {"items": [], "next_cursor": None}
    assert (await client.get(address, headers=signer.headers("clerk", scopes=ADMIN))).status_code == 200
    reader = signer.headers("reader", scopes=frozenset())
    assert (await order(client, reader, {await product(): 1})).status_code == 403
    assert (await client.get("/catalog/orders/not-an-id", headers=buyer)).status_code == 422


async def test_cancelling_gives_the_stock_back_once(client: httpx.AsyncClient, buyer: Headers) -> None:
    cup = await product(5)
    mine = await placed(client, buyer, {cup: 2})
    address = f"/catalog/orders/{mine}/cancel"
    answers = await asyncio.gather(*(client.post(address, headers=buyer) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["status"] for answer in answers} == {"cancelled"}
    assert await left(cup) == 5

    paid = await placed(client, buyer, {cup: 1})
    await handle(succeeded(paid, "r1"))
    late = await client.post(f"/catalog/orders/{paid}/cancel", headers=buyer)
    assert (late.status_code, late.json()["code"], late.json()["order_status"]) == (
        409,
        "order_not_pending",
        "delivered",
    )


async def test_own_orders_in_pages(client: httpx.AsyncClient, buyer: Headers) -> None:
    cup, tea = await product(), await product()
    mine = [str(await placed(client, buyer, {cup: 1, tea: 2})) for _ in range(5)]
    await client.post(f"/catalog/orders/{mine[0]}/cancel", headers=buyer)
    seen: list[str] = []
    params: dict[str, Any] = {"limit": 2}
    while params.get("cursor", "") is not None:
        page = (await client.get("/catalog/orders", params=params, headers=buyer)).json()
        seen += [each["id"] for each in page["items"]]
        assert all(len(each["items"]) == 2 for each in page["items"])
        params["cursor"] = page["next_cursor"]
    assert seen == mine[::-1]
    cancelled = await client.get("/catalog/orders", params={"status": "cancelled"}, headers=buyer)
    assert [each["id"] for each in cancelled.json()["items"]] == mine[:1]
    forged = await client.get("/catalog/orders", params={"cursor": "WyJvcmRlcnMiLDEsIngiXQ"}, headers=buyer)
    assert (forged.status_code, forged.json()["code"]) == (400, "invalid_cursor")


async def test_the_same_key_gives_the_same_order(client: httpx.AsyncClient, buyer: Headers, other: Headers) -> None:
    cup = await product(5)
    first = await order(client, buyer, {cup: 1}, key="k-1")
    again = await order(client, buyer, {cup: 1}, key="k-1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert await left(cup) == 4
    reused = await order(client, buyer, {cup: 2}, key="k-1")
    assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")
    theirs = await order(client, other, {cup: 2}, key="k-1")
    assert theirs.status_code == 201
    assert theirs.json()["id"] != first.json()["id"]
    for key in ("x" * 256, "a b", "\x7f"):
        assert (await order(client, buyer, {cup: 1}, key=key)).status_code == 422


async def test_a_key_at_once_makes_one_order(client: httpx.AsyncClient, buyer: Headers) -> None:
    cup = await product(50)
    answers = await asyncio.gather(*(order(client, buyer, {cup: 1}, key="k-2") for _ in range(20)))
    ids = {answer.json()["id"] for answer in answers if answer.status_code == 201}
    assert len(ids) == 1
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert await left(cup) == 49


async def test_a_refusal_leaves_no_key(client: httpx.AsyncClient, buyer: Headers, editor: Headers) -> None:
    cup = await product(0)
    assert (await order(client, buyer, {cup: 1}, key="k-3")).status_code == 409
    await client.patch(f"/catalog/products/{cup}", json={"stock": 1}, headers=editor)
    assert (await order(client, buyer, {cup: 1}, key="k-3")).status_code == 201


async def test_the_description_of_the_interface_has_examples(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]
    assert {"/catalog/products", "/catalog/orders", "/catalog/orders/{order_id}/cancel"} <= paths.keys()
    assert "out_of_stock" in json.dumps(paths["/catalog/orders"]["post"]["responses"]["409"])
