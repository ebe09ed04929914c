"""Payers who complain at their bank: what the tests of disputes share."""

import itertools
from typing import Any

import httpx
from sqlalchemy import select, text

from kit.worker.shutdown import Shutdown
from services.payments.db import sessions
from services.payments.disputes.poller import DisputePoller
from services.payments.models import Dispute, Payment
from services.payments.refunds.executor import RefundExecutor
from services.payments.refunds.models import Refund
from tests.payments.bank import Bank, Json, dispute, notice
from tests.payments.conftest import clients, notifier, payment, send, settle_all

NUMBERS = itertools.count(1000)
ANSWER = {"resolution": "declined", "message": "Signed for", "uploaded_filename": "qesp8a4df1xejihd9x5q"}
LISTED = {"id": 77, "amount": 50_000, "status": "processed", "merchant_note": "by the desk"}
EVIDENCE = {
    "customer_email": "ada@example.com",
    "customer_name": "Ada Obi",
    "customer_phone": "+2348012345678",
    "service_details": "Two cups, delivered and signed for",
    "delivery_date": "2026-11-20",
}


async def paid(**values: Any) -> Payment:
    values = {"status": "succeeded", "paid_amount": 50_000, "paid_currency": "NGN", **values}
    one = await payment(**values)
    async with sessions.begin() as session:
        await session.execute(text("UPDATE payments SET paystack_id = id WHERE id = :id"), {"id": one.id})
    return one


async def disputed(client: httpx.AsyncClient, bank: Bank, **changes: Any) -> tuple[Payment, Json]:
    """A paid payment with a dispute whose notice has been settled."""
    one = await paid()
    number = next(NUMBERS)
    body = bank.disputes[number] = dispute(number, one.reference, **changes)
    await tell(client, notice("create", body))
    return one, body


async def tell(client: httpx.AsyncClient, *bodies: Json) -> None:
    for body in bodies:
        assert (await send(client, body)).status_code == 200
    await settle_all()


async def look() -> None:
    """What the watch does until nothing is due."""
    watch = DisputePoller(sessions, clients().paystack, notifier())
    while await watch.poll_due(Shutdown()):
        pass


async def look_at_refunds() -> None:
    refunder = RefundExecutor(sessions, clients().paystack, notifier())
    while (due := await refunder._take_due()) is not None:
        await refunder._execute(due)


async def the_dispute(number: int) -> Dispute:
    async with sessions() as session:
        return (await session.execute(select(Dispute).where(Dispute.id == number))).scalar_one()


async def refunds() -> list[Refund]:
    async with sessions() as session:
        return list((await session.execute(select(Refund).order_by(Refund.number))).scalars())


def won(body: Json) -> Json:
    return body | {"status": "resolved", "resolution": "declined", "updatedAt": "2026-11-25T01:00:00.000Z"}


def lost(body: Json, resolution: str = "auto-accepted") -> Json:
    transaction = body["transaction"] | {"status": "reversed"}
    changes = {"status": "resolved", "resolution": resolution, "transaction": transaction}
    return body | changes | {"updatedAt": "2026-11-25T01:00:00.000Z"}
