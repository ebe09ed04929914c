"""POST /payments/:reference/verify asks Paystack and settles what it answers."""

import asyncio
from dataclasses import replace
from typing import Any

import httpx
import pytest

from services.payments.clients import Clients
from services.payments.paystack.rate_limit import RateLimit
from tests.factories.payments import create_payment
from tests.fakes.paystack import FakePaystack, charge_success, refusal
from tests.fixtures.apps import RunningApp
from tests.fixtures.payments import paystack_client
from tests.fixtures.payments_requests import deliver
from tests.fixtures.payments_rows import execute, find_payment, outbox_types
from tests.fixtures.tokens import Signer


async def verify(client: httpx.AsyncClient, headers: dict[str, str], reference: str) -> httpx.Response:
    return await client.post(f"/payments/{reference}/verify", headers=headers)


async def test_verify_when_the_payment_was_paid_settles_it_once(
    client: httpx.AsyncClient, customer: dict[str, str], paystack: FakePaystack
) -> None:
    one = await create_payment()
    paystack.add_transaction(one.reference)
    answer = await verify(client, customer, one.reference)
    assert (answer.status_code, answer.json()["status"]) == (200, "succeeded")
    assert await outbox_types() == ["payment.succeeded"]
    assert (await verify(client, customer, one.reference)).json()["status"] == "succeeded"
    assert len(paystack.calls) == 1


@pytest.mark.parametrize(
    ("shown", "status"), [("abandoned", "pending"), ("ongoing", "pending"), ("failed", "failed"), ("reversed", "held")]
)
async def test_verify_when_paystack_shows_a_status_changes_the_payment_accordingly(
    client: httpx.AsyncClient, customer: dict[str, str], paystack: FakePaystack, shown: str, status: str
) -> None:
    one = await create_payment()
    paystack.add_transaction(one.reference, status=shown)
    assert (await verify(client, customer, one.reference)).json()["status"] == status
    stored = (await client.get(f"/payments/{one.reference}", headers=customer)).json()
    assert (stored["status"], stored["paystack_status"]) == (status, shown)


async def test_verify_when_the_payer_pays_after_paystack_said_abandoned_settles_the_payment(
    client: httpx.AsyncClient, customer: dict[str, str], paystack: FakePaystack
) -> None:
    one = await create_payment()
    assert (await client.get(f"/payments/{one.reference}", headers=customer)).json()["paystack_status"] is None
    paystack.add_transaction(one.reference, status="abandoned")
    verified = (await verify(client, customer, one.reference)).json()
    assert (verified["status"], verified["paystack_status"]) == ("pending", "abandoned")
    await deliver(client, charge_success(one.reference))
    paid = (await client.get(f"/payments/{one.reference}", headers=customer)).json()
    assert (paid["status"], paid["paystack_status"]) == ("succeeded", "success")


async def test_verify_when_the_amount_differs_holds_the_payment(
    client: httpx.AsyncClient, customer: dict[str, str], paystack: FakePaystack
) -> None:
    one = await create_payment()
    paystack.add_transaction(one.reference, 49_999)
    assert (await verify(client, customer, one.reference)).json()["held_reason"] == "amount_differs"
    assert await outbox_types() == ["payment.held"]


async def test_verify_when_the_payment_succeeded_already_asks_nothing(
    client: httpx.AsyncClient, customer: dict[str, str], paystack: FakePaystack
) -> None:
    one = await create_payment(status="succeeded")
    paystack.add_transaction(one.reference, status="reversed")
    assert (await verify(client, customer, one.reference)).json()["status"] == "succeeded"
    assert paystack.calls == []


@pytest.mark.parametrize(
    ("fault", "retry_after"),
    [
        (httpx.ReadTimeout("slow"), "1"),
        (httpx.ConnectError("away"), "1"),
        (httpx.Response(500, json={"status": False}), "1"),
        (httpx.Response(200, html="<h1>Please wait</h1>"), "1"),
        (refusal(401, "invalid_Key"), "1"),
        (refusal(403, "forbidden"), "1"),
        (httpx.Response(429, headers={"x-ratelimit-reset": "17"}, json={"status": False}), "17"),
    ],
    ids=str,
)
async def test_verify_when_paystack_fails_answers_503(
    client: httpx.AsyncClient, customer: dict[str, str], paystack: FakePaystack, fault: Any, retry_after: str
) -> None:
    one = await create_payment()
    paystack.fail(fault)
    answer = await verify(client, customer, one.reference)
    assert (answer.status_code, answer.json()["code"]) == (503, "paystack_unavailable")
    assert answer.headers["retry-after"] == retry_after
    assert (await find_payment(one.reference)).status == "pending"


async def test_verify_when_many_ask_at_once_asks_paystack_once(
    client: httpx.AsyncClient, customer: dict[str, str], paystack: FakePaystack
) -> None:
    one = await create_payment()
    paystack.add_transaction(one.reference, status="ongoing")
    answers = await asyncio.gather(*(verify(client, customer, one.reference) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(paystack.calls) == 1


async def test_verify_when_a_client_asks_often_does_not_lengthen_the_intervals_of_the_sweeper(
    client: httpx.AsyncClient, customer: dict[str, str], paystack: FakePaystack
) -> None:
    one = await create_payment()
    paystack.add_transaction(one.reference, status="ongoing")
    for _ in range(5):
        assert (await verify(client, customer, one.reference)).status_code == 200
        await execute("UPDATE payments SET updated_at = updated_at - interval '1 minute'")
    assert len(paystack.calls) == 5
    assert (await find_payment(one.reference)).verify_attempts == 1


async def test_verify_when_the_payment_is_another_customers_answers_404(
    client: httpx.AsyncClient, signer: Signer, paystack: FakePaystack
) -> None:
    one = await create_payment()
    answer = await verify(client, signer.headers("customer-2"), one.reference)
    assert (answer.status_code, answer.json()["code"]) == (404, "payment_not_found")
    assert (await verify(client, {}, one.reference)).status_code == 401
    assert paystack.calls == []


async def test_verify_when_clients_caused_too_many_verifications_returns_the_stored_payment(
    client: httpx.AsyncClient,
    payments: RunningApp,
    clients: Clients,
    customer: dict[str, str],
    paystack: FakePaystack,
) -> None:
    """Paystack's limit in test mode leaves eighteen verifications a minute to clients."""
    async with paystack_client(paystack, RateLimit(100)) as limited:
        payments.state["clients"] = replace(clients, configured_paystack=limited)
        statuses = []
        for _ in range(19):
            one = await create_payment()
            paystack.add_transaction(one.reference)
            answer = await verify(client, customer, one.reference)
            statuses.append((answer.status_code, answer.json()["status"]))
    assert statuses == [(200, "succeeded")] * 18 + [(200, "pending")]
    assert len(paystack.calls) == 18


@pytest.mark.parametrize(
    ("reported", "channel", "waiting_for"),
    [
        ("pending", "bank_transfer", "bank_transfer"),
        ("ongoing", "ussd", "confirmation"),
        ("abandoned", "bank_transfer", "payer"),
        ("failed", "card", None),
        ("success", "bank_transfer", None),
    ],
)
async def test_verify_says_what_the_payment_waits_for(
    client: httpx.AsyncClient,
    customer: dict[str, str],
    paystack: FakePaystack,
    reported: str,
    channel: str,
    waiting_for: str | None,
) -> None:
    one = await create_payment()
    assert (await client.get(f"/payments/{one.reference}", headers=customer)).json()["waiting_for"] is None
    paystack.add_transaction(one.reference, status=reported, channel=channel)
    verified = (await verify(client, customer, one.reference)).json()
    stored = (await client.get(f"/payments/{one.reference}", headers=customer)).json()
    assert (verified["waiting_for"], stored["waiting_for"]) == (waiting_for, waiting_for)
    # Paystack shows a channel before anybody has begun to pay: it says nothing.
    assert stored["channel"] == (None if reported == "abandoned" else channel)
