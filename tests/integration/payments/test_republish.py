"""Republishing writes the same facts under the same ids, each once, a batch at a time."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from services.payments import republish as republishing
from services.payments.republish import republish
from tests.factories.payments import create_paid_payment, create_payment
from tests.fakes.paystack import FakePaystack, charge_success, dispute_event, transfer_rejected
from tests.fixtures.payments_jobs import Jobs
from tests.fixtures.payments_requests import create_disputed_payment, deliver, deliver_from
from tests.fixtures.payments_rows import change_payments, ledger_keys, outbox_events, take_outbox_events

HOUR = timedelta(hours=1)
FACTS = {
    "payment.succeeded",
    "payment.refunded",
    "payment.disputed",
    "payment.dispute_resolved",
    "payment.transfer_rejected",
}


async def republish_period(since: timedelta = HOUR, until: timedelta = -HOUR) -> list[int]:
    """Republish what happened from `since` ago until `until` ago, by default from an hour ago. Return the sizes of the batches."""
    now = datetime.now(UTC)
    return [count async for count in republish(now - since, now - until)]


async def pay(client: httpx.AsyncClient, count: int) -> None:
    await deliver(client, *[charge_success((await create_payment()).reference) for _ in range(count)])


async def test_republish_repeats_facts_under_their_ids(
    client: httpx.AsyncClient, paystack: FakePaystack, jobs: Jobs
) -> None:
    _, dispute = await create_disputed_payment(client, paystack)
    paystack.resolve_dispute(dispute, lost=True)
    await deliver_from(client, paystack)
    await jobs.poll_disputes()
    await jobs.execute_refunds()
    await pay(client, 1)
    unpaid = await create_payment()
    paystack.add_transaction(unpaid.reference, status="ongoing")
    await deliver(client, transfer_rejected(unpaid.reference))
    await jobs.match_transfers()
    await deliver(client, charge_success((await create_payment()).reference, 1), charge_success("pay-unknown"))
    before = await take_outbox_events()
    await republish_period()
    again = await take_outbox_events()
    facts = {(event.type, event.id, event.subject) for event in before if event.type in FACTS}
    assert {event.type for event in again} >= FACTS
    assert facts <= {(event.type, event.id, event.subject) for event in again}
    assert {event.type for event in again} <= FACTS


async def test_republish_when_events_are_in_the_outbox_does_not_add_them_again(client: httpx.AsyncClient) -> None:
    await pay(client, 3)
    before = await outbox_events()
    await republish_period()
    await republish_period()
    assert await outbox_events() == before


async def test_republish_when_held_money_was_refunded_does_not_say_that_it_paid_the_order(
    client: httpx.AsyncClient,
) -> None:
    one = await create_payment()
    await deliver(client, charge_success(one.reference, 1))
    await take_outbox_events()
    await change_payments(one.reference, status="refunded", refunded_amount=1)
    await republish_period()
    assert [event.type for event in await take_outbox_events()] == ["payment.refunded"]


async def test_republish_when_there_are_many_events_writes_batches(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(republishing, "BATCH", 2)
    await pay(client, 5)
    before = await take_outbox_events()
    assert await republish_period() == [2, 2, 1]
    assert {event.id for event in await take_outbox_events()} == {event.id for event in before}


async def test_republish_takes_the_given_period_only(client: httpx.AsyncClient) -> None:
    await pay(client, 1)
    await take_outbox_events()
    assert await republish_period(since=-HOUR, until=-2 * HOUR) == []
    assert await republish_period(since=2 * HOUR, until=HOUR) == []
    assert await republish_period() == [1]


async def test_republish_repeats_the_start_of_payments_that_can_still_be_paid(client: httpx.AsyncClient) -> None:
    started, paid, failed = [await create_payment(authorization_url="https://pay.test/1") for _ in range(3)]
    await create_payment()
    await deliver(client, charge_success(paid.reference))
    await change_payments(failed.reference, status="failed")
    await take_outbox_events()
    await republish_period()
    found = [(event.type, event.data.reference) for event in await take_outbox_events()]
    assert found == [("payment.started", started.reference), ("payment.succeeded", paid.reference)]


@pytest.mark.parametrize("lost", [True, False])
async def test_republish_when_a_dispute_was_resolved_before_it_was_recorded_repeats_its_resolution(
    client: httpx.AsyncClient, paystack: FakePaystack, lost: bool
) -> None:
    """No money was withheld, so the ledger has no movement of the dispute."""
    one = await create_paid_payment()
    opened = paystack.open_dispute(paystack.add_transaction(one.reference), 50_000)
    resolved = paystack.resolve_dispute(opened, lost=lost)
    await deliver(client, dispute_event("resolve", paystack.shown_dispute(resolved)))
    assert await ledger_keys() == []
    before = {(event.type, event.id) for event in await take_outbox_events()}
    assert {name for name, _ in before} == {"payment.dispute_resolved"}
    await republish_period()
    assert before <= {(event.type, event.id) for event in await take_outbox_events()}
    assert await republish_period(since=-HOUR, until=-2 * HOUR) == []
    assert await republish_period(since=2 * HOUR, until=HOUR) == []
