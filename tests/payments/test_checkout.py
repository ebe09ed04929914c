"""Starting a payment: one intent, one payment; a reference is stored before Paystack hears it and is never sent twice."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import select

from services.payments.catalog_client import CatalogClient
from services.payments.db import sessions
from services.payments.models import Payment
from tests.conftest import Signer
from tests.payments.conftest import clients, payment, running_app
from tests.payments.weather import Weather, initialized, refused

ORDER = str(uuid4())


class Catalog:
    """catalog, with one order."""

    def __init__(self) -> None:
        self.answer: httpx.Response | Exception = httpx.Response(
            200, json={"id": ORDER, "status": "pending", "amount": 50_000, "currency": "NGN", "items": []}
        )
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return httpx.Response(self.answer.status_code, content=self.answer.content)


@pytest.fixture
async def catalog(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Catalog]:
    found = Catalog()
    async with httpx.AsyncClient(transport=httpx.MockTransport(found), base_url="http://catalog.test") as client:
        running_app().state["clients"] = replace(clients(), catalog=CatalogClient(client))
        yield found


@pytest.fixture
def payer(signer: Signer) -> dict[str, str]:
    return signer.headers("payer-1")


async def start(
    client: httpx.AsyncClient, headers: dict[str, str], key: str | None = None, **body: Any
) -> httpx.Response:
    more = {"Idempotency-Key": key} if key else {}
    return await client.post("/payments", json={"order_id": ORDER, **body}, headers={**headers, **more})


async def payments() -> list[Payment]:
    async with sessions() as session:
        return list((await session.execute(select(Payment).order_by(Payment.id))).scalars())


async def test_a_start(client: httpx.AsyncClient, payer: dict[str, str], catalog: Catalog, paystack: Weather) -> None:
    paystack.then(initialized)
    answer = await start(client, payer, callback_url="https://shop.test/thanks", phone="+2348012345678")
    assert answer.status_code == 201
    said = answer.json()
    assert (said["status"], said["amount"], said["currency"]) == ("pending", 50_000, "NGN")
    assert said["authorization_url"] == f"https://pay.test/{said['reference']}"
    (asked,) = catalog.asked
    assert asked.headers["authorization"] == payer["Authorization"]
    assert asked.headers["x-request-id"] == answer.headers["x-request-id"]
    (sent,) = [json.loads(request.content) for request in paystack.asked]
    assert (sent["reference"], sent["amount"], sent["currency"]) == (said["reference"], 50_000, "NGN")
    assert (sent["email"], sent["metadata"]["order_id"]) == ("payer@example.com", ORDER)
    assert sent["callback_url"] == "http://payments.test/payments/callback"
    (kept,) = await payments()
    assert (kept.payer_id, kept.phone, kept.callback_url) == ("payer-1", "+2348012345678", "https://shop.test/thanks")


async def test_the_reference_is_stored_before_paystack_hears_it(
    client: httpx.AsyncClient, payer: dict[str, str], catalog: Catalog, paystack: Weather
) -> None:
    known: list[str] = []

    class Paystack(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            known.extend(one.reference for one in await payments())
            return initialized(httpx.Request("POST", request.url, content=await request.aread()))

    clients().paystack._connection.client._transport = Paystack()
    reference = (await start(client, payer)).json()["reference"]
    assert known == [reference]


@pytest.mark.parametrize(
    "first",
    [
        httpx.ReadTimeout("slow"),
        httpx.Response(500),
        httpx.Response(200, html="<h1>"),
        refused(400, "duplicate_reference"),
    ],
    ids=str,
)
async def test_a_lost_initialize_is_tried_under_a_new_reference(
    client: httpx.AsyncClient, payer: dict[str, str], catalog: Catalog, paystack: Weather, first: Any
) -> None:
    paystack.then(first, initialized)
    answer = await start(client, payer)
    assert answer.status_code == 201
    sent = [json.loads(request.content)["reference"] for request in paystack.asked]
    assert len(set(sent)) == 2
    given_up, kept = await payments()
    assert (given_up.reference, given_up.status) == (sent[0], "abandoned")
    assert (kept.reference, kept.status) == (answer.json()["reference"], "pending")


@pytest.mark.parametrize(
    ("weather", "status", "code"),
    [
        (httpx.ReadTimeout("slow"), 503, "paystack_unavailable"),
        (refused(401, "invalid_Key"), 503, "paystack_unavailable"),
        (httpx.Response(429, json={}), 503, "paystack_unavailable"),
        (refused(400, "unsupported_currency"), 422, "payment_refused"),
    ],
    ids=str,
)
async def test_foul_weather_leaves_no_open_payment(
    client: httpx.AsyncClient,
    payer: dict[str, str],
    catalog: Catalog,
    paystack: Weather,
    weather: Any,
    status: int,
    code: str,
) -> None:
    paystack.then(weather)
    answer = await start(client, payer, "k-1")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert {one.status for one in await payments()} == {"abandoned"}
    # The key is free again: nothing was started under it.
    paystack.answers = [initialized]
    assert (await start(client, payer, "k-1")).status_code == 201


@pytest.mark.parametrize("status", ["succeeded", "held", "partially_refunded", "disputed"])
async def test_an_order_that_was_paid_is_not_paid_again(
    client: httpx.AsyncClient, payer: dict[str, str], catalog: Catalog, paystack: Weather, status: str
) -> None:
    """Catalog has not heard of the money yet: the broker may be down."""
    paystack.then(initialized)
    paid = await payment(order_id=UUID(ORDER), status=status, paid_amount=50_000, paid_currency="NGN")
    answer = await start(client, payer)
    assert (answer.status_code, answer.json()["code"]) == (409, "order_not_payable")
    assert answer.json()["reference"] == paid.reference
    assert paystack.asked == []


async def test_an_order_whose_money_went_back_can_be_paid_again(
    client: httpx.AsyncClient, payer: dict[str, str], catalog: Catalog, paystack: Weather
) -> None:
    paystack.then(initialized)
    await payment(order_id=UUID(ORDER), status="refunded", paid_amount=49_000, refunded_amount=49_000)
    assert (await start(client, payer)).status_code == 201


async def test_the_same_key_gets_the_same_payment(
    client: httpx.AsyncClient, payer: dict[str, str], catalog: Catalog, paystack: Weather
) -> None:
    paystack.then(initialized)
    first = await start(client, payer, "k-1")
    again = await start(client, payer, "k-1")
    assert (again.status_code, again.json()) == (201, first.json())
    other = await start(client, payer, "k-1", phone="+2348012345678")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert len(await payments()) == len(paystack.asked) == 1


async def test_the_same_key_twenty_times_at_once(
    client: httpx.AsyncClient, payer: dict[str, str], catalog: Catalog, paystack: Weather
) -> None:
    paystack.then(initialized)
    answers = await asyncio.gather(*(start(client, payer, "k-1") for _ in range(20)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.json()["reference"] for answer in answers if answer.status_code == 201}) == 1
    assert len(await payments()) == len(paystack.asked) == 1


@pytest.mark.parametrize(
    ("said", "status", "code"),
    [
        (httpx.Response(404), 404, "order_not_found"),
        (httpx.Response(401), 401, "not_authenticated"),
        (httpx.Response(403), 403, "not_allowed"),
        (httpx.Response(500), 503, "catalog_unavailable"),
        (httpx.Response(200, content=b"{"), 503, "catalog_unavailable"),
        (httpx.Response(200, json={"id": ORDER}), 503, "catalog_unavailable"),
        (httpx.ConnectError("away"), 503, "catalog_unavailable"),
        (httpx.ReadTimeout("slow"), 503, "catalog_unavailable"),
        (
            httpx.Response(200, json={"id": ORDER, "status": "paid", "amount": 5, "currency": "NGN"}),
            409,
            "order_not_payable",
        ),
    ],
    ids=str,
)
async def test_what_catalog_says_decides(
    client: httpx.AsyncClient,
    payer: dict[str, str],
    catalog: Catalog,
    paystack: Weather,
    said: Any,
    status: int,
    code: str,
) -> None:
    catalog.answer = said
    answer = await start(client, payer, "k-1")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert await payments() == []
    assert paystack.asked == []


async def test_who_may_start(client: httpx.AsyncClient, signer: Signer, catalog: Catalog, paystack: Weather) -> None:
    assert (await start(client, {})).status_code == 401
    assert (await start(client, signer.headers(scopes=frozenset({"orders:write"})))).status_code == 403
    unknown = await start(client, signer.headers(email=None))
    assert (unknown.status_code, unknown.json()["code"]) == (422, "payer_unknown")
    assert catalog.asked == []


@pytest.mark.parametrize(
    "body",
    [
        {"order_id": "7"},
        {"order_id": None},
        {"amount": 1},
        {"callback_url": "javascript:alert(1)"},
        {"callback_url": "/relative"},
        {"callback_url": "https://user:pass@shop.test/"},
        {"callback_url": "https://shop.test/\r\nSet-Cookie: a=b"},
        {"callback_url": "https://"},
        {"callback_url": "https://[::1"},
        {"callback_url": "h" * 3000},
        {"cancel_url": 5},
        {"phone": "call me"},
        {"phone": "+" + "1" * 30},
    ],
    ids=str,
)
async def test_a_request_that_cannot_be_meant(
    client: httpx.AsyncClient, payer: dict[str, str], catalog: Catalog, paystack: Weather, body: dict[str, Any]
) -> None:
    answer = await start(client, payer, **body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert catalog.asked == []


@pytest.mark.parametrize("key", ["", " ", "a b", "k" * 256, "é"])
async def test_a_key_that_is_none(
    client: httpx.AsyncClient, payer: dict[str, str], catalog: Catalog, paystack: Weather, key: str
) -> None:
    headers = [(name.encode(), value.encode()) for name, value in payer.items()]
    answer = await client.post(
        "/payments", json={"order_id": ORDER}, headers=[*headers, (b"Idempotency-Key", key.encode())]
    )
    assert answer.status_code == 422
