"""A transaction that Postgres aborts is answered 503 with Retry-After, never 500, and leaves nothing half done."""

from uuid import uuid4

import httpx
import pytest

from tests.factories.payments import create_paid_payment, create_payment
from tests.fakes.catalog import FakeCatalog
from tests.fakes.paystack import FakePaystack, charge_success
from tests.fixtures.contention import BROKEN_UP, When, broken_up
from tests.fixtures.payments_jobs import process_webhook_events
from tests.fixtures.payments_requests import post_webhook
from tests.fixtures.payments_rows import change_payments, execute, find_payment, outbox_types, webhook_events

each_state = pytest.mark.parametrize("sqlstate", BROKEN_UP)
each_moment = pytest.mark.parametrize("when", ["at once", "at the commit"])


def is_try_again(answer: httpx.Response) -> bool:
    return answer.status_code == 503 and answer.headers["retry-after"] == "1"


@each_state
@each_moment
async def test_start_when_its_transaction_is_aborted_may_be_repeated(
    client: httpx.AsyncClient,
    customer: dict[str, str],
    paystack: FakePaystack,
    catalog: FakeCatalog,
    sqlstate: str,
    when: When,
) -> None:
    order, headers = catalog.add_order(), {**customer, "Idempotency-Key": uuid4().hex}

    async def start() -> httpx.Response:
        return await client.post("/payments", json={"order_id": order}, headers=headers)

    async with broken_up("payments", "payments", sqlstate, when):
        assert is_try_again(await start())
    assert paystack.calls == []  # nothing was stored, so nothing was sent
    assert (await start()).status_code == 201


@each_state
async def test_start_when_its_response_cannot_be_stored_may_be_repeated(
    client: httpx.AsyncClient, customer: dict[str, str], catalog: FakeCatalog, sqlstate: str
) -> None:
    order, headers = catalog.add_order(), {**customer, "Idempotency-Key": uuid4().hex}
    async with broken_up("payments", "idempotency_keys", sqlstate):
        answer = await client.post("/payments", json={"order_id": order}, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_key_in_use")
    assert (await client.post("/payments", json={"order_id": order}, headers=headers)).status_code == 201


@each_state
@each_moment
async def test_refund_when_its_transaction_is_aborted_may_be_repeated(
    client: httpx.AsyncClient, operator: dict[str, str], sqlstate: str, when: When
) -> None:
    one = await create_paid_payment()
    headers = {**operator, "Idempotency-Key": uuid4().hex}
    path = f"/payments/{one.reference}/refunds"
    async with broken_up("payments", "refunds", sqlstate, when):
        assert is_try_again(await client.post(path, json={"amount": 500}, headers=headers))
    assert (await client.get(path, headers=headers)).json()["items"] == []
    assert (await client.post(path, json={"amount": 500}, headers=headers)).status_code == 202
    assert len((await client.get(path, headers=headers)).json()["items"]) == 1


@each_state
@each_moment
async def test_verify_when_its_transaction_is_aborted_may_be_repeated(
    client: httpx.AsyncClient, customer: dict[str, str], paystack: FakePaystack, sqlstate: str, when: When
) -> None:
    one = await create_payment()
    paystack.add_transaction(one.reference)
    path = f"/payments/{one.reference}/verify"
    async with broken_up("payments", "ledger_transactions", sqlstate, when):
        assert is_try_again(await client.post(path, headers=customer))
    assert (await find_payment(one.reference)).status == "pending"
    assert await outbox_types() == []
    await change_payments(one.reference, verify_attempts=0)  # as after two seconds
    assert (await client.post(path, headers=customer)).json()["status"] == "succeeded"
    assert await outbox_types() == ["payment.succeeded"]


@each_state
async def test_return_when_its_transaction_is_aborted_may_be_repeated(
    client: httpx.AsyncClient, paystack: FakePaystack, sqlstate: str
) -> None:
    one = await create_payment(callback_url="https://shop.test/thanks")
    paystack.add_transaction(one.reference)
    async with broken_up("payments", "ledger_transactions", sqlstate):
        answer = await client.get("/payments/callback", params={"reference": one.reference})
    assert is_try_again(answer)
    assert (await find_payment(one.reference)).status == "pending"


@each_state
async def test_webhook_when_its_transaction_is_aborted_is_not_stored_and_may_be_repeated(
    client: httpx.AsyncClient, sqlstate: str
) -> None:
    body = charge_success("pay-1")
    async with broken_up("payments", "webhook_events", sqlstate):
        assert is_try_again(await post_webhook(client, body))
    assert await webhook_events() == []
    assert (await post_webhook(client, body)).status_code == 200


@each_state
async def test_processing_when_its_transaction_is_aborted_costs_no_attempt(
    client: httpx.AsyncClient, sqlstate: str
) -> None:
    """However long the trouble lasts, it does not make the event fail."""
    one = await create_payment()
    await post_webhook(client, charge_success(one.reference))
    due = "UPDATE webhook_events SET next_attempt_at = received_at"
    async with broken_up("payments", "payments", sqlstate):
        for _ in range(3):
            await execute(due)
            await process_webhook_events()
    (event,) = await webhook_events()
    assert (event.status, event.attempts) == ("pending", 0)
    assert await outbox_types() == []
    await execute(due)
    await process_webhook_events()
    assert (await find_payment(one.reference)).status == "succeeded"
    assert await outbox_types() == ["payment.succeeded"]
