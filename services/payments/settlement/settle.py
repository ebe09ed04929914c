"""What a charge does to a payment: the amount gate, and one transition however often and by whatever road it is told.

    pending | failed | abandoned ── success, gate passed ──► succeeded      event payment.succeeded
                                 ── success, gate failed ──► held           event payment.held: a person decides
    pending | failed | abandoned ── reversed ──► held (reversed)            it was paid and given back before we heard: how is looked up
    pending ── failed ──► failed                                            event payment.failed
    no payment of that reference ── success ──► held (unknown_reference)

Everything else changes nothing: a payment that succeeded is never undone by being told again, nor by verifying as `reversed`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from prometheus_client import Counter
from sqlalchemy import ARRAY, BigInteger, Text, any_, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import Event
from kit.db.bulk import array_parameters, array_values, table_of
from kit.messaging import outbox
from kit.observability.tracing import continued
from services.payments import events as announcements
from services.payments.cards import saved_cards
from services.payments.events import HeldReason
from services.payments.ledger import journal, movements
from services.payments.ledger.movements import Movement
from services.payments.models import UNPAID, OutboxRow, Payment
from services.payments.paystack.charge import Charge
from services.payments.refunds import requests
from services.payments.settings import settings

DECIDED = frozenset({"success", "failed", "reversed", "reversal-pending"})
"""What Paystack calls a charge that can change a payment; any other word leaves it as it is."""

settled_total = Counter("payments_settled_total", "Payments by what a charge made of them", ["status", "reason"])
log = structlog.get_logger("settlement")


def check_amount(expected_amount: int, expected_currency: str, charge: Charge) -> HeldReason | None:
    """Why a paid charge does not pay for this order; None when it does.

    In our mode, in the order's currency, and the amount itself, or the amount that was asked for with the fees on top where the payer
    bears them (Paystack's samples: amount 40333 = requested_amount 30050 + fees 10283).
    """
    if charge.domain != settings.domain:
        return "mode_differs"
    if charge.currency != expected_currency:
        return "currency_differs"
    with_fees = charge.requested_amount == expected_amount and charge.amount == expected_amount + (charge.fees or 0)
    return None if charge.amount == expected_amount or with_fees else "amount_differs"


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of one charge: for the notice's `outcome`, and the log."""

    reference: str
    outcome: str


async def settle(session: AsyncSession, charges: Sequence[Charge]) -> list[Settled]:
    """Give each charge its effect, in this transaction: payments, the ledger and the events together. Answers in the order of the charges.

    Payments are locked in order of id. A payment that another transaction holds makes this wait for the lock timeout at most.
    """
    by_reference = {row.reference: row for row in await _lock(session, {charge.reference for charge in charges})}
    changes: dict[str, dict[str, Any]] = {}
    moved: list[Movement] = []
    returned: list[str] = []
    events: dict[str, Event] = {}
    strangers: dict[str, Charge] = {}
    left_cards: list[tuple[Any, Charge]] = []
    outcomes: list[Settled] = []
    for charge in charges:
        payment = by_reference.get(charge.reference)
        if payment is None:
            if charge.status == "success":
                strangers.setdefault(charge.reference, charge)
            outcomes.append(
                Settled(
                    charge.reference, "held: unknown_reference" if charge.status == "success" else "unknown reference"
                )
            )
            continue
        status = changes.get(charge.reference, {}).get("status", payment.status)
        change, event = _decide(payment, status, charge)
        if _leaves_card(payment, change["status"] if change else status, charge):
            left_cards.append((payment, charge))
        if change is None:
            outcomes.append(Settled(charge.reference, f"nothing new: {status}"))
            continue
        changes[charge.reference] = {"id": payment.id, **_reported(charge), **change}
        if event is not None:
            events[charge.reference] = event  # the last word of a batch is what is told
        reason = change.get("held_reason")
        if charge.paid:
            moved += movements.received(payment.id, charge, out_of="held" if reason else "sales")
        if reason == "reversed":
            returned.append(charge.reference)
        settled_total.labels(change["status"], reason or "").inc()
        with continued(payment.traceparent):
            log.info(
                "payment settled",
                reference=charge.reference,
                order_id=str(payment.order_id),
                status=change["status"],
                reason=reason,
            )
        outcomes.append(Settled(charge.reference, f"{change['status']}: {reason}" if reason else change["status"]))
    await _write(session, changes.values())
    await requests.schedule_sync(session, returned)
    moved += await _keep_strangers(session, strangers)
    await journal.record(session, moved)
    await saved_cards.save(session, left_cards)
    await outbox.add(session, OutboxRow, *events.values())
    return outcomes


def _decide(payment: Any, status: str, charge: Charge) -> tuple[dict[str, Any] | None, Event | None]:
    if status not in UNPAID:
        return None, None
    if charge.status == "success":
        held = check_amount(payment.amount, payment.currency, charge)
        if held is not None:
            with continued(payment.traceparent):
                log.error(
                    "payment held",
                    reference=payment.reference,
                    order_id=str(payment.order_id),
                    reason=held,
                    paid_amount=charge.amount,
                    currency=charge.currency,
                )
            return {"status": "held", "held_reason": held}, announcements.held(payment, charge, held)
        return {"status": "succeeded", "held_reason": None}, announcements.succeeded(
            payment, paid_amount=charge.amount, channel=charge.channel, paid_at=charge.paid_at
        )
    if charge.status == "failed" and status == "pending":
        return {"status": "failed", "held_reason": None}, announcements.failed(payment, charge)
    if charge.status in {"reversed", "reversal-pending"}:
        # It was paid and given back before we heard of it: not ours to deliver, not ours to forget.
        return {"status": "held", "held_reason": "reversed"}, None
    return None, None


def _leaves_card(payment: Any, status: str, charge: Charge) -> bool:
    """Only what paid for an order of somebody's; told again too, as the road that settled it may not have told of the card."""
    paid = status == "succeeded" and charge.status == "success" and charge.authorization is not None
    return paid and payment.payer_id is not None and check_amount(payment.amount, payment.currency, charge) is None


PAYMENTS = table_of(Payment)
LOCK = (
    select(
        *(
            PAYMENTS.c[name]
            for name in (
                "id",
                "reference",
                "order_id",
                "payer_id",
                "email",
                "created_at",
                "amount",
                "currency",
                "status",
                "traceparent",
            )
        )
    )
    .where(PAYMENTS.c.reference == any_(bindparam("references", type_=ARRAY(Text))))
    .order_by(PAYMENTS.c.id)
    .with_for_update()
)
CHANGED = (
    "status",
    "held_reason",
    "paystack_id",
    "paid_amount",
    "paid_currency",
    "fees",
    "domain",
    "channel",
    "gateway_response",
    "paid_at",
)
_told = array_parameters(id=BigInteger, **{name: PAYMENTS.c[name].type for name in CHANGED})
WRITE = (
    update(PAYMENTS)
    .where(PAYMENTS.c.id == _told.c.id)
    .values({**{name: _told.c[name] for name in CHANGED}, "updated_at": func.now()})
)


async def _lock(session: AsyncSession, references: Iterable[str]) -> Sequence[Any]:
    return (await session.execute(LOCK, {"references": list(references)})).all()


def _reported(charge: Charge) -> dict[str, Any]:
    return {
        "paystack_id": charge.id,
        "paid_amount": charge.amount if charge.paid else None,
        "paid_currency": charge.currency,
        "fees": charge.fees,
        "domain": charge.domain,
        "channel": charge.channel,
        "gateway_response": charge.gateway_response,
        "paid_at": charge.paid_at,
    }


async def _write(session: AsyncSession, changes: Collection[Mapping[str, Any]]) -> None:
    if changes:
        rows = {name: [change[name] for change in changes] for name in ("id", *CHANGED)}
        await session.execute(WRITE, array_values(**rows))


async def _keep_strangers(session: AsyncSession, charges: Mapping[str, Charge]) -> list[Movement]:
    rows = [
        {
            "reference": charge.reference,
            "amount": 0,
            "currency": charge.currency,
            "status": "held",
            "held_reason": "unknown_reference",
            "verify_next_attempt_at": func.now(),
            **_reported(charge),
        }
        for charge in charges.values()
    ]
    if not rows:
        return []
    new = insert(Payment).values(rows).on_conflict_do_nothing(index_elements=["reference"])
    moved: list[Movement] = []
    for payment_id, reference in await session.execute(new.returning(Payment.id, Payment.reference)):
        log.error("money came under a reference that is not ours", reference=reference)
        settled_total.labels("held", "unknown_reference").inc()
        moved += movements.received(payment_id, charges[reference], out_of="held")
    return moved
