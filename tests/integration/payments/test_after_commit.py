"""A transaction that is rolled back counts nothing and logs nothing; one that is committed counts and logs once."""

from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from kit.audit.actor import Actor
from kit.messaging.inbox import Entry
from services.payments.db import sessions
from services.payments.disputes import records as disputes
from services.payments.paystack.charge import parse_charge
from services.payments.paystack.disputes import parse_dispute
from services.payments.paystack.errors import Refused
from services.payments.paystack.refunds import PaystackRefund
from services.payments.refunds import requests
from services.payments.refunds.chargebacks import record_pending_chargebacks
from services.payments.refunds.send_check import may_be_sent
from services.payments.refunds.sync import lock_payment, record_refusal, sync_refunds
from services.payments.rejected_transfers.matching import DueTransfer, match
from services.payments.rejected_transfers.models import RejectedTransfer
from services.payments.unrelated_charges import record as unrelated_charges
from services.payments.webhooks import processing
from tests.factories.payments import (
    FAR_AWAY,
    create_dispute,
    create_paid_payment,
    create_payment,
    create_refund,
    create_webhook_event,
)
from tests.fakes.paystack import charge, dispute, transfer_rejected, webhook_body

Work = Callable[[AsyncSession], Awaitable[object]]


class RolledBack(Exception):
    """Ends the transaction of a test."""


BACKGROUND = ("process_", "python_", "revocation_list_fetches_")


def counters() -> dict[str, float]:
    """Return the counters of payments, by name and labels, without those that background tasks change."""
    samples = (sample for family in REGISTRY.collect() if family.type == "counter" for sample in family.samples)
    totals = {
        f"{each.name}{sorted(each.labels.items())}": each.value for each in samples if each.name.endswith("_total")
    }
    return {name: value for name, value in totals.items() if value and not name.startswith(BACKGROUND)}


async def sync() -> Work:
    one = await create_paid_payment()
    reported = [PaystackRefund(1, 10_000, "failed", None), PaystackRefund(2, 20_000, "needs-attention", None)]
    return lambda session: sync_refunds(session, one.id, reported)


async def refuse() -> Work:
    one = await create_paid_payment()
    refund = await create_refund(one)
    return lambda session: record_refusal(session, refund, Refused(400, "any", "The balance is too low"))


async def check_refund_that_does_not_fit() -> Work:
    one = await create_paid_payment()
    await create_refund(one, amount=10_000, status="processed", paystack_id=1)
    refund = await create_refund(one)
    return lambda session: may_be_sent(session, one.id, refund.id)


async def close() -> Work:
    refund = await create_refund(await create_paid_payment(), status="failed")
    return lambda session: requests.close_refund(session, refund.id, Actor(id="operator-1"), "paid in cash")


async def fail_refused_refund() -> Work:
    one = await create_paid_payment()
    await create_refund(one, attempts=1, next_attempt_at=FAR_AWAY)
    await create_dispute(1, payment_id=one.id, amount=50_000, status="resolved", resolution="auto-accepted", lost=True)

    async def work(session: AsyncSession) -> None:
        await record_pending_chargebacks(session, await lock_payment(session, one.id))

    return work


async def open_dispute() -> Work:
    one = await create_paid_payment()
    reported = [parse_dispute(dispute(1, one.reference)), parse_dispute(dispute(2, one.reference, domain="live"))]
    return lambda session: disputes.record(session, reported)


async def record_unrelated() -> Work:
    charges = [parse_charge(charge("T685312322670591"))]
    return lambda session: unrelated_charges.record(session, charges)


async def process_webhook_event() -> Work:
    body = webhook_body(transfer_rejected("pay-1"))
    entry = await create_webhook_event(body=body)
    entries = [Entry(entry.id, entry.key, body, {}, 0, entry.received_at)]
    return lambda session: processing.handle(session, entries)


async def match_transfer() -> Work:
    one, entry = await create_payment(), await create_webhook_event(body=webhook_body(transfer_rejected("pay-1")))
    async with sessions.begin() as session:
        await processing.handle(session, [Entry(entry.id, entry.key, entry.body, {}, 0, entry.received_at)])
        (due,) = (await session.execute(select(RejectedTransfer.id, RejectedTransfer.transaction_id))).all()
    return lambda session: match(session, DueTransfer(*due), one.reference)


async def give_up_transfer() -> Work:
    return lambda session: match(session, DueTransfer(1, 4711), "pay-of-nobody")


async def roll_back(work: Work) -> None:
    """Do work in a transaction that is rolled back."""
    with suppress(RolledBack):
        async with sessions.begin() as session:
            await work(session)
            raise RolledBack


@pytest.mark.parametrize(
    "prepare",
    [
        sync,
        refuse,
        check_refund_that_does_not_fit,
        close,
        fail_refused_refund,
        open_dispute,
        record_unrelated,
        process_webhook_event,
        match_transfer,
        give_up_transfer,
    ],
)
async def test_work_when_it_is_rolled_back_is_neither_counted_nor_logged(
    prepare: Callable[[], Awaitable[Work]], caplog: pytest.LogCaptureFixture
) -> None:
    work = await prepare()
    caplog.clear()
    before = counters()
    await roll_back(work)
    assert counters() == before
    assert caplog.text == ""
    async with sessions.begin() as session:
        await work(session)
        assert counters() == before
        assert caplog.text == ""
    lines = [record.getMessage() for record in caplog.records]
    assert lines
    assert len(set(lines)) == len(lines)
    counted = [value - before.get(name, 0) for name, value in counters().items() if value != before.get(name, 0)]
    assert counted == ([] if prepare is close else [1] * len(counted))
    assert bool(counted) is (prepare is not close), "every act but the closing of a refund is counted"
