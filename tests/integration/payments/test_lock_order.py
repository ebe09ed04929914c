"""Rows are locked in one order everywhere, the order of their ids: so two transactions never wait for each other.

Each test does work with several rows while a transaction locks the same rows in the order of their ids. If the work locked
them in another order, Postgres would end one of the two with an error.
"""

import asyncio
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import OrderUndeliverable, OrderUndeliverableData
from contracts.reasons import UndeliverableReason
from kit.audit.actor import Actor
from kit.messaging import inbox
from kit.messaging.inbox import Message
from services.payments.db import sessions
from services.payments.disputes import records as disputes
from services.payments.models import Dispute, Inbox, Payment
from services.payments.paystack.charge import parse_charge
from services.payments.paystack.disputes import parse_dispute
from services.payments.refunds import undeliverable_orders
from services.payments.settlement.settle import RecordedConcurrently, settle
from services.payments.webhooks import processing, queries
from services.payments.webhooks.models import WebhookEvent
from tests.factories.payments import create_dispute, create_paid_payment, create_payment, create_webhook_event
from tests.fakes.paystack import charge, charge_success, dispute, dispute_event, webhook_body
from tests.fixtures.lock_order import run, run_against_locks, until_waiting


def undeliverable(one: Payment) -> OrderUndeliverable:
    assert one.order_id is not None
    data = OrderUndeliverableData(
        reference=one.reference,
        order_id=UUID(str(one.order_id)),
        amount=one.amount,
        currency=one.currency,
        reason=UndeliverableReason.CANCELLED,
    )
    return OrderUndeliverable(subject=str(one.order_id), data=data)


async def test_payments_of_undeliverable_orders_are_locked_in_the_order_of_their_ids() -> None:
    first, second = await create_paid_payment(reference="pay-b"), await create_paid_payment(reference="pay-a")
    events = [undeliverable(second), undeliverable(first)]
    await run_against_locks(
        sessions, Payment.id, first.id, second.id, lambda session: undeliverable_orders.handle(session, events)
    )


async def test_payments_of_one_webhook_batch_are_locked_in_the_order_of_their_ids() -> None:
    """A charge, and a dispute of an earlier payment, in one batch."""
    disputed, charged = await create_paid_payment(), await create_payment()
    bodies = [charge_success(charged.reference), dispute_event("create", dispute(1, disputed.reference))]
    for number, body in enumerate(bodies):
        await create_webhook_event(f"key-{number}", body=webhook_body(body))

    async def process(session: AsyncSession) -> None:
        entries = await inbox.lock_due(session, WebhookEvent)
        await processing.handle(session, entries)

    await run_against_locks(sessions, Payment.id, disputed.id, charged.id, process)


async def test_disputes_are_locked_in_the_order_of_their_ids() -> None:
    one = await create_paid_payment()
    for number in (1, 2):
        await create_dispute(number, payment_id=one.id, reference=one.reference)
    reported = [parse_dispute(dispute(number, one.reference)) for number in (2, 1)]
    await run_against_locks(sessions, Dispute.id, 1, 2, lambda session: disputes.record(session, reported))


async def test_disputes_without_a_payment_are_locked_in_the_order_of_their_ids() -> None:
    for number in (2, 1):
        await create_dispute(number, reference=f"pay-{number}")
    references = ["pay-2", "pay-1"]
    await run_against_locks(
        sessions, Dispute.id, 1, 2, lambda session: disputes.schedule_polls_by_reference(session, references)
    )


async def test_webhook_events_are_closed_in_the_order_of_their_ids() -> None:
    ids = [(await create_webhook_event(status="failed")).id for _ in range(2)]
    actor = Actor(id="operator-1")
    await run_against_locks(
        sessions,
        WebhookEvent.id,
        ids[0],
        ids[1],
        lambda session: queries.close(session, ids[::-1], actor, "looked into"),
    )


async def test_events_are_stored_in_the_order_of_their_keys() -> None:
    """Two consumers receive the same events in different orders: the second waits for the first and finds them stored."""
    first, second = (Message(key, b"", {}) for key in ("a", "b"))
    async with sessions.begin() as session:
        await inbox.store(session, Inbox, [first])
        storing = asyncio.create_task(run(sessions, lambda other: inbox.store(other, Inbox, [second, first])))
        await until_waiting(sessions)
        await inbox.store(session, Inbox, [second])
    await storing


async def test_charges_with_unknown_references_are_stored_in_the_order_of_their_references() -> None:
    charges = [parse_charge(charge(reference)) for reference in ("pay-a", "pay-b")]

    async def settle_both(session: AsyncSession) -> None:
        await settle(session, charges[::-1])

    async with sessions.begin() as session:
        await settle(session, charges[:1])
        settling = asyncio.create_task(run(sessions, settle_both))
        await until_waiting(sessions)
        await settle(session, charges[1:])
    with pytest.raises(RecordedConcurrently):  # the next attempt finds the payments
        await settling
