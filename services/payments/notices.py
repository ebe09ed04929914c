"""Stored notices and what they bring about: the inbox handler behind the webhook's door."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, Text, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from kit.database import arrays
from kit.inbox import Entry
from services.payments import refunds
from services.payments.charges import Charge, Unreadable, read_charge
from services.payments.models import Notice, Payment
from services.payments.settlement import UNPAID, settle


def read(body: bytes) -> tuple[str, Any]:
    """The event's name and its data. Raises Unreadable on what is no notice."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"not JSON: {type(error).__name__}") from error
    if not isinstance(found, dict) or not isinstance(found.get("event"), str):
        raise Unreadable("not an object with an event")
    return _text(found["event"]), found.get("data")


async def handle(session: AsyncSession, entries: Sequence[Entry]) -> Mapping[int, str]:
    """Settle a batch of notices in one transaction. Those that cannot be read wait for a person, with the reason."""
    hopeless: dict[int, str] = {}
    outcomes: dict[int, dict[str, Any]] = {}
    charges: list[tuple[int, Charge]] = []
    nudges: dict[int, tuple[str, str]] = {}
    for entry in entries:
        outcome = outcomes[entry.id] = {"event": None, "reference": None, "outcome": None}
        try:
            event, data = read(entry.body)
            outcome["event"] = event
            outcome["reference"] = _reference(data)
            if event != "charge.success":
                outcome["outcome"] = "looked into" if event.startswith("refund.") else "kept"
                continue
            try:
                charges.append((entry.id, read_charge(data)))
            except Unreadable as error:
                # Its reference is readable, the rest is not: ask Paystack what it knows of it.
                if outcome["reference"] is None:
                    raise
                nudges[entry.id] = outcome["reference"], str(error)
                outcome["outcome"] = "verify"
        except Unreadable as error:
            hopeless[entry.id] = str(error)
            outcome["outcome"] = "unreadable"
    settled = await settle(session, [charge for _, charge in charges]) if charges else []
    for (entry_id, _), result in zip(charges, settled, strict=True):
        outcomes[entry_id]["outcome"] = result.outcome
    ours = await _nudge(session, {reference for reference, _ in nudges.values()})
    for entry_id, (reference, reason) in nudges.items():
        if reference not in ours:
            hopeless[entry_id] = f"{reason}, and the reference is not ours to ask about"
            outcomes[entry_id]["outcome"] = "unreadable"
    refunded = [o["reference"] for o in outcomes.values() if o["outcome"] == "looked into" and o["reference"]]
    await refunds.nudge(session, refunded)
    await _record(session, outcomes)
    return hopeless


async def _record(session: AsyncSession, outcomes: Mapping[int, Mapping[str, Any]]) -> None:
    """What was in the notices, and what became of them."""
    names = ("event", "reference", "outcome")
    texts = {name: (Text, [outcome[name] for outcome in outcomes.values()]) for name in names}
    told = arrays(id=(BigInteger, list(outcomes)), **texts)
    found = update(Notice).where(Notice.id == told.c.id).values({name: told.c[name] for name in names})
    await session.execute(found.execution_options(synchronize_session=False))


async def _nudge(session: AsyncSession, references: Collection[str]) -> set[str]:
    """Have the sweep ask about these at once, those given up included. Answers the references that are ours."""
    if not references:
        return set()
    # Locked in the order in which settlement locks.
    known = select(Payment.id, Payment.reference, Payment.status).where(Payment.reference.in_(references))
    rows = (await session.execute(known.order_by(Payment.id).with_for_update())).all()
    unpaid = update(Payment).where(Payment.id.in_([row.id for row in rows if row.status in UNPAID]))
    await session.execute(
        unpaid.values(status="pending", next_verify_at=func.now()).execution_options(synchronize_session=False)
    )
    return {row.reference for row in rows}


def _reference(data: Any) -> str | None:
    found = (data.get("reference") or data.get("transaction_reference")) if isinstance(data, dict) else None
    return _text(found) or None if isinstance(found, str) else None


def _text(value: str) -> str:
    # Postgres stores neither NUL nor lone surrogates.
    return value[:200].replace("\x00", "").encode("utf-8", "replace").decode()
