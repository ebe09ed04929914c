"""Record unrelated charges: their row, and their money in the ledger, because Paystack pays it out together with ours."""

from collections.abc import Collection, Sequence
from itertools import chain

import structlog
from prometheus_client import Counter
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.money import format_money
from kit.db.after_commit import after_commit
from services.payments.ledger import journal, movements
from services.payments.paystack.charge import Charge
from services.payments.references import is_unrelated
from services.payments.settings import settings
from services.payments.unrelated_charges.models import UnrelatedCharge

unrelated_charges_total = Counter(
    "unrelated_charges_total", "Successful charges with a reference that is certainly not ours"
)
log = structlog.get_logger("settlement")


async def record(session: AsyncSession, charges: Collection[Charge]) -> None:
    """Record successful charges whose references are not ours. Charges that are recorded already are skipped."""
    rows = {charge.reference: _row(charge) for charge in charges}
    if not rows:
        return
    # Sorted, so that two transactions insert the same references in the same order.
    new = insert(UnrelatedCharge).values([rows[reference] for reference in sorted(rows)]).on_conflict_do_nothing()
    inserted = set((await session.execute(new.returning(UnrelatedCharge.reference))).scalars())
    recorded = [
        charge for charge in {charge.reference: charge for charge in charges}.values() if charge.reference in inserted
    ]
    await journal.record(session, chain.from_iterable(movements.unrelated(each, settings.mode) for each in recorded))
    after_commit(session, _log_and_count, recorded)


def _log_and_count(recorded: Sequence[Charge]) -> None:
    for charge in recorded:
        unrelated_charges_total.inc()
        amount = format_money(charge.amount, charge.currency)
        log.info("unrelated charge recorded", reference=charge.reference, amount=amount)


async def find_unrelated(session: AsyncSession, references: Collection[str]) -> set[str]:
    """Return those of the references that are unrelated. The caller must pass only references that no payment has.

    A charge that is recorded as unrelated stays unrelated if the settings change (references.py).
    """
    unrelated = {reference for reference in references if is_unrelated(reference)}
    others = set(references) - unrelated
    if others:
        recorded = select(UnrelatedCharge.reference).where(UnrelatedCharge.reference.in_(others))
        unrelated |= set((await session.execute(recorded)).scalars())
    return unrelated


def _row(charge: Charge) -> dict[str, object]:
    return {
        "reference": charge.reference,
        "paystack_id": charge.id,
        "amount": charge.amount,
        "currency": charge.currency,
        "fees": charge.fees,
        "domain": charge.domain,
        "channel": charge.channel,
        "paid_at": charge.paid_at,
    }
