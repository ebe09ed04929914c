"""Routes of orders: who may call them, idempotency keys, and the OpenAPI description."""

import asyncio
import json

import httpx
import pytest

from kit.http.rate_limit import TokenBuckets
from tests.factories.catalog import Headers, create_order, create_product, place_order
from tests.fixtures.apps import RunningApp
from tests.fixtures.catalog import stock_of
from tests.fixtures.tokens import ADMIN, Signer


async def test_orders_when_the_caller_is_not_the_owner_then_404(
    client: httpx.AsyncClient, customer: Headers, other_customer: Headers, signer: Signer
) -> None:
    order_id = await create_order(client, customer, {await create_product(5): 1})
    url = f"/catalog/orders/{order_id}"
    assert (await client.get(url)).status_code == 401
    for response in (
        await client.get(url, headers=other_customer),
        await client.post(f"{url}/cancel", headers=other_customer),
    ):
        assert (response.status_code, response.json()["code"]) == (404, "order_not_found")
    assert (await client.get("/catalog/orders", headers=other_customer)).json() == {"items": [], "next_cursor": None}
    assert (await client.get(url, headers=signer.headers("operator", scopes=ADMIN))).status_code == 200
    reader = signer.headers("reader", scopes=frozenset())
    assert (await place_order(client, reader, {await create_product(): 1})).status_code == 403
    assert (await client.get("/catalog/orders/not-an-id", headers=customer)).status_code == 422


async def test_place_order_when_key_is_repeated_then_the_first_response_is_returned(
    client: httpx.AsyncClient, customer: Headers, other_customer: Headers
) -> None:
    cup = await create_product(5)
    first = await place_order(client, customer, {cup: 1}, key="k-1")
    again = await place_order(client, customer, {cup: 1}, key="k-1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert await stock_of(cup) == 4
    reused = await place_order(client, customer, {cup: 2}, key="k-1")
    assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")
    theirs = await place_order(client, other_customer, {cup: 2}, key="k-1")
    assert theirs.status_code == 201
    assert theirs.json()["id"] != first.json()["id"]
    for key in ("x" * 256, "a b", "\x7f"):
        assert (await place_order(client, customer, {cup: 1}, key=key)).status_code == 422


async def test_place_order_when_key_is_used_concurrently_then_one_order_is_placed(
    client: httpx.AsyncClient, customer: Headers
) -> None:
    cup = await create_product(50)
    responses = await asyncio.gather(*(place_order(client, customer, {cup: 1}, key="k-2") for _ in range(20)))
    ids = {response.json()["id"] for response in responses if response.status_code == 201}
    assert len(ids) == 1
    assert {response.status_code for response in responses} <= {201, 409}
    assert await stock_of(cup) == 49


async def test_place_order_when_it_was_refused_then_the_key_can_be_used_again(
    client: httpx.AsyncClient, customer: Headers, editor: Headers
) -> None:
    cup = await create_product(0)
    assert (await place_order(client, customer, {cup: 1}, key="k-3")).status_code == 409
    received = {"kind": "received", "quantity": 1, "reason": "test"}
    headers = editor | {"Idempotency-Key": "m-1"}
    await client.post(f"/catalog/products/{cup}/stock-movements", json=received, headers=headers)
    assert (await place_order(client, customer, {cup: 1}, key="k-3")).status_code == 201


async def test_openapi_when_read_then_it_has_the_routes_and_examples_of_errors(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]
    assert {"/catalog/products", "/catalog/orders", "/catalog/orders/{order_id}/cancel"} <= paths.keys()
    assert "out_of_stock" in json.dumps(paths["/catalog/orders"]["post"]["responses"]["409"])


async def test_openapi_when_read_then_every_route_parameter_and_field_is_described(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    missing = []
    for path, operations in document["paths"].items():
        if not path.startswith("/catalog/"):
            continue
        for method, operation in operations.items():
            missing += [f"{method} {path}"] if not operation.get("description") else []
            parameters = operation.get("parameters", [])
            missing += [f"{method} {path} {each['name']}" for each in parameters if not each.get("description")]
    for name, schema in document["components"]["schemas"].items():
        if name.startswith(("Product", "Order", "Category", "Place", "Create", "Update")) and not name.endswith("Page"):
            fields = schema.get("properties", {})
            missing += [f"{name}.{key}" for key, each in fields.items() if not each.get("description")]
    assert missing == []


async def test_orders_of_one_account_are_limited_and_other_requests_and_accounts_are_not(
    catalog: RunningApp,
    client: httpx.AsyncClient,
    customer: Headers,
    other_customer: Headers,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(catalog.state, "account_limit", TokenBuckets(2))
    cup = await create_product(50)
    answers = [await place_order(client, customer, {cup: 1}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert answers[-1].json()["code"] == "too_many_requests"
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 30
    assert await stock_of(cup) == 48
    assert (await place_order(client, other_customer, {cup: 1})).status_code == 201
    assert (await client.get("/catalog/orders", headers=customer)).status_code == 200
