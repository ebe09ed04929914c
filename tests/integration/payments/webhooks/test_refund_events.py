"""Refund events: each one syncs the refunds of its payment, or needs an operator."""

import json

import httpx
import pytest

from tests.factories.payments import create_paid_payment
from tests.fakes.paystack import FakePaystack, Json
from tests.fixtures.payments_jobs import Jobs
from tests.fixtures.payments_requests import deliver, post_webhook
from tests.fixtures.payments_rows import find_payment, webhook_events


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


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({}, "the refund event contains no reference of a payment"),
        ({"transaction_reference": "pay-unknown"}, "there is no payment pay-unknown"),
        ({"transaction": {"id": 1}}, "the refund event contains no reference of a payment"),
        ({"transaction": 1}, "the refund event contains no reference of a payment"),
    ],
)
async def test_refund_event_that_matches_no_payment_needs_an_operator(
    client: httpx.AsyncClient, data: Json, reason: str
) -> None:
    known = await create_paid_payment()
    events = [refund_data(**data), refund_data(transaction_reference=known.reference)]
    await deliver(client, *({"event": "refund.processed", "data": each} for each in events))
    unmatched, matched = await webhook_events()
    assert (unmatched.status, unmatched.outcome) == ("failed", "not matched")
    assert reason in (unmatched.error or "")
    assert (matched.status, matched.outcome) == ("processed", "refund sync scheduled")


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
