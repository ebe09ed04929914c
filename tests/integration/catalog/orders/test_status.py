"""The status of an order with its status token, without logging in."""

import json
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import delete, select

from contracts.money import format_money
from kit.http.rate_limit import TokenBuckets
from services.catalog.db import sessions
from services.catalog.models import IdempotencyKey
from services.catalog.order_models import Order
from services.catalog.orders.status_page import TITLES_AND_TEXTS
from services.catalog.orders.status_tokens import LENGTH, StatusTokens, status_tokens
from services.catalog.statuses import OrderStatus
from tests.factories.catalog import ADDRESS, Headers, create_product, fulfil, place_order
from tests.factories.events import payment_succeeded
from tests.fixtures.apps import RunningApp
from tests.fixtures.catalog import handle_events
from tests.fixtures.service_process import serving
from tests.fixtures.tokens import Signer

EMAIL, NAME = "ada.obi@example.com", "Ada Obi"


def url_of(token: str) -> str:
    return f"/catalog/orders/status/{token}"


async def test_status_when_the_token_is_right_follows_the_order_without_personal_data(
    client: httpx.AsyncClient, editor: Headers, signer: Signer
) -> None:
    cup = await create_product(5, kind="shipped")
    buyer = signer.headers("customer-7", email=EMAIL, name=NAME)
    order = (await place_order(client, buyer, {cup: 2}, address=ADDRESS)).json()
    answer = await client.get(url_of(order["status_token"]))
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    shown = ("number", "status", "amount", "currency", "created_at", "expires_at", "delivered_at", "cancel_reason")
    item = {"name": "Cup", "options": {}, "quantity": 2, "amount": order["amount"]}
    steps = {"packed": 0, "shipped": 0, "delivered": 0}
    assert answer.json() == {name: order[name] for name in shown} | {
        "refunded_amount": 0,
        "refunded_in_other_currency": None,
        "items": [item | steps],
    }

    await handle_events(payment_succeeded(UUID(order["id"]), "pay-7", amount=order["amount"]))
    await fulfil(client, editor, UUID(order["id"]), {cup: 1}, step="ship", tracking="GIG-4711")
    answer = await client.get(url_of(order["status_token"]))
    assert (answer.json()["status"], answer.json()["items"][0]["shipped"]) == ("paid", 1)
    hidden = (order["id"], "customer-7", EMAIL, NAME, "GIG-4711", "pay-7", *ADDRESS["lines"], ADDRESS["phone"])
    assert [text for text in hidden if text in answer.text] == []


async def test_status_token_when_the_order_is_read_or_repeated_is_the_same_and_is_not_stored(
    client: httpx.AsyncClient, customer: Headers
) -> None:
    cup = await create_product(5)
    first, repeated = [await place_order(client, customer, {cup: 1}, "k-1") for _ in range(2)]
    token, url = first.json()["status_token"], f"/catalog/orders/{first.json()['id']}"
    cancelled = [await client.post(f"{url}/cancel", headers=customer | {"Idempotency-Key": "k-2"}) for _ in range(2)]
    listed = (await client.get("/catalog/orders", headers=customer)).json()["items"][0]
    found = [repeated.json(), *(each.json() for each in cancelled), listed]
    assert [each["status_token"] for each in found] == [token] * 4
    assert cancelled[0].json() == cancelled[1].json()
    async with sessions() as session:
        stored = (await session.execute(select(IdempotencyKey.body))).scalars().all()
        columns = (await session.execute(select(Order.__table__))).mappings().all()
    assert len(stored) == 2
    assert token not in json.dumps([*stored, *map(dict, columns)], default=str)


async def test_status_when_the_token_is_unknown_then_404(client: httpx.AsyncClient, customer: Headers) -> None:
    order = (await place_order(client, customer, {await create_product(5): 1})).json()
    token = order["status_token"]
    others = [token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :] for at in range(LENGTH)]
    other_secret = StatusTokens("the secret of another shop").token_of(UUID(order["id"]))
    never_placed = status_tokens().token_of(uuid4())
    for unknown in (
        *others,
        other_secret,
        never_placed,
        token[:-1],
        token + "A",
        token + "=",
        order["id"],
        "notes",
        "é" * 43,
    ):
        answer = await client.get(url_of(unknown), headers=customer)
        assert (answer.status_code, answer.json()["code"]) == (404, "status_token_not_found"), unknown
    assert (await client.get(url_of("x" * 101))).status_code == 422
    assert (await client.get(url_of(token))).status_code == 200
    async with sessions.begin() as session:
        await session.execute(delete(Order))
    assert (await client.get(url_of(token))).status_code == 404


async def test_status_tokens_when_the_shop_has_a_secret_are_made_from_it(
    client: httpx.AsyncClient, customer: Headers
) -> None:
    order = (await place_order(client, customer, {await create_product(5): 1})).json()
    secret = "a secret of the shop only"
    async with serving("catalog", CATALOG_STATUS_TOKEN_SECRET=secret) as instance:
        token = StatusTokens(secret).token_of(UUID(order["id"]))
        assert (await instance.client.get(url_of(token))).json()["number"] == order["number"]
        assert (await instance.client.get(url_of(order["status_token"]))).status_code == 404


async def test_status_when_an_address_sends_too_many_requests_then_429(
    catalog: RunningApp, client: httpx.AsyncClient, customer: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(catalog.state, "status_requests", TokenBuckets(3))
    order = (await place_order(client, customer, {await create_product(5): 1})).json()
    answers = [await client.get(url_of(order["status_token"])) for _ in range(4)]
    guess = await client.get(url_of("A" * LENGTH), headers=customer)
    async with catalog.client("http://catalog.test", "203.0.113.9") as elsewhere:
        assert (await elsewhere.get(url_of(order["status_token"]))).status_code == 200
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert (guess.status_code, guess.json()["code"]) == (429, "too_many_requests")
    assert 1 <= int(answers[3].headers["retry-after"]) <= 20


async def test_status_when_it_fails_then_no_log_line_has_the_token(
    client: httpx.AsyncClient,
    customer: Headers,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    order = (await place_order(client, customer, {await create_product(5): 1})).json()
    assert (await client.get(url_of(order["status_token"]))).status_code == 200

    def fail(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("services.catalog.orders.status.load_views", fail)
    assert (await client.get(url_of(order["status_token"]))).status_code == 500
    output = caplog.text
    assert "/catalog/orders/status/{status_token}" in output
    assert "unhandled error" in output
    assert order["status_token"] not in output


async def test_page_when_opened_shows_the_status_and_escapes_the_texts_of_the_shop(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    cup = await create_product(5, kind="shipped", name="Cup <b>bold</b> & {title}")
    order = (await place_order(client, customer, {cup: 2}, address=ADDRESS)).json()
    url = f"{url_of(order['status_token'])}/page"
    page = await client.get(url)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.headers["content-security-policy"].startswith("default-src 'none'; style-src 'unsafe-inline'")
    expected = {"cache-control": "no-store", "referrer-policy": "no-referrer", "x-robots-tag": "noindex"}
    assert {name: page.headers[name] for name in expected} == expected
    assert "<h1>Waiting for the payment</h1>" in page.text
    assert (
        f"<li>2 × Cup &lt;b&gt;bold&lt;/b&gt; &amp; {{title}}: {format_money(order['amount'], 'NGN')}</li>" in page.text
    )
    assert f"<small>Order {order['number']}, placed " in page.text

    await handle_events(payment_succeeded(UUID(order["id"]), "pay-8", amount=order["amount"]))
    await fulfil(client, editor, UUID(order["id"]), {cup: 1}, step="ship")
    paid = (await client.get(url)).text
    assert "<h1>Paid</h1>" in paid
    assert ", 1 of 2 shipped</li>" in paid


async def test_page_when_the_order_is_cancelled_or_unknown_says_so(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    order = (await place_order(client, customer, {await create_product(5): 1})).json()
    reason = {"reason": "Out of <production>"}
    await client.post(f"/catalog/orders/{order['id']}/cancel", headers=editor, json=reason)
    cancelled = (await client.get(f"{url_of(order['status_token'])}/page")).text
    assert "<h1>Cancelled</h1>" in cancelled
    assert "Reason: Out of &lt;production&gt;" in cancelled
    unknown = await client.get(f"{url_of('x' * LENGTH)}/page")
    assert (unknown.status_code, "<h1>Unknown order</h1>" in unknown.text) == (404, True)


def test_page_has_a_text_for_every_status() -> None:
    assert TITLES_AND_TEXTS.keys() == set(OrderStatus)


async def test_page_when_an_address_sends_too_many_requests_then_429(
    catalog: RunningApp, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(catalog.state, "status_requests", TokenBuckets(1))
    urls = [url_of("x" * LENGTH), f"{url_of('x' * LENGTH)}/page"]
    assert [(await client.get(url)).status_code for url in urls] == [404, 429]
