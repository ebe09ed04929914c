"""Refund events: each one syncs the refunds of its payment; one without a payment is retried, and then needs an operator."""

import json

import httpx
import pytest

from kit.messaging.processor import ATTEMPTS
from services.payments.db import sessions
from services.payments.metrics import Metrics
from tests.factories.payments import create_paid_payment
from tests.fakes.paystack import FakePaystack, Json, charge_success
from tests.fixtures.payments_jobs import Jobs, process_webhook_events
from tests.fixtures.payments_requests import deliver, post_webhook
from tests.fixtures.payments_rows import execute, find_payment, webhook_events


def refund_data(**fields: object) -> Json:
    return {"status": "processed", "amount": "7000", "currency": "NGN", "domain": "test", **fields}


async def test_refund_event_whose_payment_is_in_the_transaction_object_syncs_its_refunds(
    client: httpx.AsyncClient, paystack: FakePaystack, jobs: Jobs
) -> None:
    one = await create_paid_payment()
    paystack.add_refund(paystack.add_transaction(one.reference), 5000, status="processed")
    paystack.take_webhooks()  # lost
    data = {"id": 3018284, "status": "processed", "transaction": {"id": 1, "reference": one.reference}, "amount": 5000}
    await deliver(client, {"event": "refund.processed", "data": data})
    await jobs.execute_refunds()
    (event,) = await webhook_events()
    assert (event.status, event.reference, event.outcome) == ("processed", one.reference, "refund sync scheduled")
    assert (await find_payment(one.reference)).refunded_amount == 5000


@pytest.mark.parametrize("name", ["refund.processed", "\\u0072efund.processed"])
async def test_equal_refund_events_whose_name_comes_last_are_all_stored(
    client: httpx.AsyncClient, paystack: FakePaystack, jobs: Jobs, name: str
) -> None:
    one = await create_paid_payment()
    transaction = paystack.add_transaction(one.reference)
    data = json.dumps(refund_data(transaction_reference=one.reference, customer={"email": "a" * 300}))
    body = f'{{"data": {data}, "event": "{name}"}}'.encode()
    for _ in range(2):
        paystack.add_refund(transaction, 7000, status="processed")
        await deliver(client, body)
        await jobs.execute_refunds()
    assert [event.status for event in await webhook_events()] == ["processed", "processed"]
    assert (await find_payment(one.reference)).refunded_amount == 14_000


@pytest.mark.parametrize("data", [{}, {"transaction": {"id": 1}}, {"transaction": 1}])
async def test_refund_event_without_a_reference_needs_an_operator(client: httpx.AsyncClient, data: Json) -> None:
    known = await create_paid_payment()
    events = [refund_data(**data), refund_data(transaction_reference=known.reference)]
    await deliver(client, *({"event": "refund.processed", "data": each} for each in events))
    unmatched, matched = await webhook_events()
    assert (unmatched.status, unmatched.error) == ("failed", "the refund event contains no reference of a payment")
    assert (matched.status, matched.outcome) == ("processed", "refund sync scheduled")


async def test_refund_event_of_an_unknown_payment_is_retried_and_then_needs_an_operator(
    client: httpx.AsyncClient,
) -> None:
    webhook = {"event": "refund.processed", "data": refund_data(transaction_reference="pay-unknown")}
    known = {
        "event": "refund.processed",
        "data": refund_data(transaction_reference=(await create_paid_payment()).reference),
    }
    await deliver(client, webhook, known)
    unmatched, matched = await webhook_events()
    assert (unmatched.status, unmatched.attempts, unmatched.error) == ("pending", 1, "there is no payment pay-unknown")
    assert (matched.status, matched.attempts) == ("processed", 1)
    for _ in range(ATTEMPTS - 1):
        await execute("UPDATE webhook_events SET next_attempt_at = now()")
        await process_webhook_events()
    (failed, _) = await webhook_events()
    assert (failed.status, failed.attempts, failed.error) == ("failed", ATTEMPTS, "there is no payment pay-unknown")
    assert (failed.event, failed.reference, failed.outcome) == ("refund.processed", "pay-unknown", None)
    assert (failed.identity or "").startswith("refund.processed:pay-unknown/")


async def test_refund_event_that_waits_for_its_next_attempt_is_not_overdue(client: httpx.AsyncClient) -> None:
    await deliver(client, {"event": "refund.processed", "data": refund_data(transaction_reference="pay-unknown")})
    await execute("UPDATE webhook_events SET received_at = now() - interval '1 hour'")
    assert await Metrics(sessions).measure() is None
    await execute("UPDATE webhook_events SET next_attempt_at = now() - interval '2 minutes'")
    assert "1 webhook events are due for processing" in str(await Metrics(sessions).measure())


async def test_refund_without_an_event_is_found_when_its_charge_arrives(
    client: httpx.AsyncClient, paystack: FakePaystack, jobs: Jobs
) -> None:
    paystack.add_refund(paystack.add_transaction("pay-of-nobody"), 50_000, status="processed")
    await deliver(client, charge_success("pay-of-nobody"))  # without a refund event
    await jobs.execute_refunds()
    assert (await find_payment("pay-of-nobody")).status == "refunded"


async def test_refund_event_with_a_reference_of_its_own_finds_its_payment(client: httpx.AsyncClient) -> None:
    one = await create_paid_payment()
    data = refund_data(reference="refund-1", transaction={"reference": one.reference})
    await deliver(client, {"event": "refund.processed", "data": data})
    (event,) = await webhook_events()
    assert (event.status, event.reference) == ("processed", one.reference)


async def test_refund_event_that_overtakes_the_charge_is_retried(
    client: httpx.AsyncClient, paystack: FakePaystack, jobs: Jobs
) -> None:
    paystack.add_refund(paystack.add_transaction("pay-of-nobody"), 7000, status="processed")
    await deliver(client, {"event": "refund.processed", "data": refund_data(transaction_reference="pay-of-nobody")})
    await deliver(client, charge_success("pay-of-nobody"))
    await execute("UPDATE webhook_events SET next_attempt_at = now()")
    await process_webhook_events()
    await jobs.execute_refunds()
    assert [event.status for event in await webhook_events()] == ["processed", "processed"]
    assert (await find_payment("pay-of-nobody")).refunded_amount == 7000


async def test_refund_event_of_a_payment_whose_transaction_id_is_unknown_syncs_its_refunds(
    client: httpx.AsyncClient, paystack: FakePaystack, jobs: Jobs
) -> None:
    one = await create_paid_payment(paystack_id=None)
    paystack.add_refund(paystack.add_transaction(one.reference), 7000, status="processed")
    await deliver(client, {"event": "refund.processed", "data": refund_data(transaction_reference=one.reference)})
    await jobs.execute_refunds()
    assert (await find_payment(one.reference)).refunded_amount == 7000


async def test_charge_event_that_mentions_a_refund_is_stored_once(client: httpx.AsyncClient) -> None:
    one = await create_paid_payment()
    body = {"event": "charge.success", "data": {"reference": one.reference, "note": '"event":"refund.processed"'}}
    for _ in range(2):
        assert (await post_webhook(client, body)).status_code == 200
    assert len(await webhook_events()) == 1
