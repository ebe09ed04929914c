"""A transaction that Postgres breaks up is a 503 that may be asked again, never a 500, and leaves nothing half done."""

from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import update

from services.payments.catalog_client import CatalogClient
from services.payments.db import sessions
from services.payments.webhooks.models import WebhookEvent
from tests.conftest import ADMIN, Signer
from tests.contention import BROKEN_UP, When, broken_up
from tests.payments.conftest import charge, clients, found, outbox_types, payment, running_app, send, settle_all, stored
from tests.payments.weather import Weather, initialized, ok

ORDER = str(uuid4())
STATES = pytest.mark.parametrize("sqlstate", BROKEN_UP)
MOMENTS = pytest.mark.parametrize("when", ["at once", "at the commit"])


@pytest.fixture
async def catalog(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    order = {"id": ORDER, "status": "pending", "amount": 50_000, "currency": "NGN", "items": []}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=order))
    async with httpx.AsyncClient(transport=transport, base_url="http://catalog.test") as client:
        running_app().state["clients"] = replace(clients(), catalog=CatalogClient(client))
        yield


def told_to_come_again(answer: httpx.Response) -> bool:
    return answer.status_code == 503 and answer.headers["retry-after"] == "1"


@STATES
@MOMENTS
async def test_a_start(
    client: httpx.AsyncClient, signer: Signer, paystack: Weather, catalog: None, sqlstate: str, when: When
) -> None:
    paystack.then(initialized)
    headers = {**signer.headers("payer-1"), "Idempotency-Key": uuid4().hex}

    async def start() -> httpx.Response:
        return await client.post("/payments", json={"order_id": ORDER}, headers=headers)

    async with broken_up(sessions, "payments", sqlstate, when):
        assert told_to_come_again(await start())
    assert paystack.asked == []  # nothing was stored, so Paystack has heard of nothing
    assert (await start()).status_code == 201


@STATES
async def test_a_start_whose_answer_cannot_be_kept(
    client: httpx.AsyncClient, signer: Signer, paystack: Weather, catalog: None, sqlstate: str
) -> None:
    paystack.then(initialized)
    headers = {**signer.headers("payer-1"), "Idempotency-Key": uuid4().hex}
    async with broken_up(sessions, "idempotency_keys", sqlstate):
        answer = await client.post("/payments", json={"order_id": ORDER}, headers=headers)
        assert told_to_come_again(answer) or answer.json()["code"] == "idempotency_key_in_use"
    assert (await client.post("/payments", json={"order_id": ORDER}, headers=headers)).status_code == 201


@STATES
@MOMENTS
async def test_a_refund(client: httpx.AsyncClient, signer: Signer, sqlstate: str, when: When) -> None:
    one = await payment(status="succeeded", paid_amount=50_000, paid_currency="NGN")
    headers = {**signer.headers("admin", scopes=ADMIN), "Idempotency-Key": uuid4().hex}
    path = f"/payments/{one.reference}/refunds"
    async with broken_up(sessions, "refunds", sqlstate, when):
        assert told_to_come_again(await client.post(path, json={"amount": 500}, headers=headers))
    assert (await client.get(path, headers=headers)).json()["items"] == []
    assert (await client.post(path, json={"amount": 500}, headers=headers)).status_code == 202
    assert len((await client.get(path, headers=headers)).json()["items"]) == 1


@STATES
@MOMENTS
async def test_a_verify(
    client: httpx.AsyncClient, signer: Signer, paystack: Weather, sqlstate: str, when: When
) -> None:
    one = await payment()
    paystack.then(ok(charge(one.reference)["data"]))
    path, headers = f"/payments/{one.reference}/verify", signer.headers("payer-1")
    async with broken_up(sessions, "ledger_transactions", sqlstate, when):
        assert told_to_come_again(await client.post(path, headers=headers))
    assert (await found(one.reference)).status == "pending"
    assert await outbox_types() == []
    async with sessions.begin() as session:  # as when its two seconds are over
        await session.execute(update(type(one)).values(verify_attempts=0))
    assert (await client.post(path, headers=headers)).json()["status"] == "succeeded"
    assert await outbox_types() == ["payment.succeeded"]


@STATES
async def test_a_return_of_the_payer(client: httpx.AsyncClient, paystack: Weather, sqlstate: str) -> None:
    one = await payment(callback_url="https://shop.test/thanks")
    paystack.then(ok(charge(one.reference)["data"]))
    async with broken_up(sessions, "ledger_transactions", sqlstate):
        answer = await client.get("/payments/callback", params={"reference": one.reference})
    assert answer.status_code == 303 or told_to_come_again(answer)
    assert (await found(one.reference)).status == "pending"


@STATES
async def test_a_webhook(client: httpx.AsyncClient, sqlstate: str) -> None:
    body = charge("pay-1")
    async with broken_up(sessions, "notices", sqlstate):
        assert told_to_come_again(await send(client, body))
    assert await stored() == []
    assert (await send(client, body)).status_code == 200


@STATES
async def test_a_settlement(client: httpx.AsyncClient, sqlstate: str) -> None:
    """It costs no attempt, so that no length of trouble makes a notice wait for a person."""
    one = await payment()
    await send(client, charge(one.reference))
    async with broken_up(sessions, "payments", sqlstate):
        for _ in range(3):
            await due_now()
            await settle_all()
    (notice,) = await stored()
    assert (notice.status, notice.attempts) == ("pending", 0)
    assert await outbox_types() == []
    await due_now()
    await settle_all()
    assert (await found(one.reference)).status == "succeeded"
    assert await outbox_types() == ["payment.succeeded"]


async def due_now() -> None:
    async with sessions.begin() as session:
        await session.execute(update(WebhookEvent).values(next_attempt_at=WebhookEvent.received_at))
