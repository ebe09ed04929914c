"""The cards of a payer: kept from what was paid, found again, forgotten on request."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, DateTime, Select, Text, Uuid, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from kit.db.bulk import arrays
from services.payments.errors import CardNotFound
from services.payments.models import Card
from services.payments.paystack.charge import Authorization, Charge
from services.payments.settings import settings


def cards_of(payer_id: str) -> Select[Card]:
    """Those that may be charged: not forgotten, and of our key's mode, as test and live hold different cards."""
    return select(Card).where(Card.payer_id == payer_id, Card.domain == settings.domain, Card.deactivated_at.is_(None))


async def save(session: AsyncSession, left: Sequence[tuple[Any, Charge]]) -> None:
    """Keep the cards that payments left, with the email of that payment. The newest payment with a card says what is known of it.

    `left`: rows with payer_id, email and created_at, each with its charge. A forgotten card comes back only by a payment that was
    started afterwards, and not before Paystack knows that it was forgotten.
    """
    newest: dict[tuple[str, str], tuple[Authorization, str, datetime]] = {}
    for payment, charge in sorted(left, key=lambda one: one[0].created_at):
        card = charge.authorization
        if card is not None and payment.email:
            newest[payment.payer_id, card.signature] = card, payment.email, payment.created_at
    if not newest:
        return
    # In one order of locks for everybody.
    rows = [(payer_id, *newest[payer_id, signature]) for payer_id, signature in sorted(newest)]
    told = arrays(
        id=(Uuid, [uuid4() for _ in rows]),
        payer_id=(Text, [payer_id for payer_id, _, _, _ in rows]),
        domain=(Text, [settings.domain for _ in rows]),
        signature=(Text, [card.signature for _, card, _, _ in rows]),
        authorization_code=(Text, [card.code for _, card, _, _ in rows]),
        email=(Text, [email for _, _, email, _ in rows]),
        last4=(Text, [card.last4 for _, card, _, _ in rows]),
        brand=(Text, [card.brand for _, card, _, _ in rows]),
        exp_month=(BigInteger, [card.exp_month for _, card, _, _ in rows]),
        exp_year=(BigInteger, [card.exp_year for _, card, _, _ in rows]),
        bank=(Text, [card.bank for _, card, _, _ in rows]),
        seen_at=(DateTime(timezone=True), [seen_at for _, _, _, seen_at in rows]),
    )
    new = insert(Card).from_select(list(told.c.keys()), select(told))
    known = {"id", "payer_id", "domain", "signature"}
    changed = {column.name: new.excluded[column.name] for column in told.c if column.name not in known}
    newer = (new.excluded.seen_at > Card.seen_at) & (
        Card.deactivated_at.is_(None)
        | ((new.excluded.seen_at > Card.deactivated_at) & Card.authorization_code.is_(None))
    )
    await session.execute(
        new.on_conflict_do_update(
            index_elements=["payer_id", "domain", "signature"], set_={**changed, "deactivated_at": None}, where=newer
        )
    )


async def find(session: AsyncSession, payer_id: str, card_id: UUID) -> Card:
    """Raises CardNotFound."""
    found = (await session.execute(cards_of(payer_id).where(Card.id == card_id))).scalar_one_or_none()
    if found is None:
        raise CardNotFound
    return found


async def deactivate(session: AsyncSession, payer_id: str, card_id: UUID) -> None:
    """At once here; Paystack is told by forgetting.py. Raises CardNotFound."""
    forgotten = (
        update(Card)
        .where(Card.id == card_id, Card.payer_id == payer_id, Card.deactivated_at.is_(None))
        .values(deactivated_at=func.now(), next_attempt_at=func.now(), attempts=0)
        .returning(Card.id)
    )
    if (await session.execute(forgotten)).scalar_one_or_none() is None:
        raise CardNotFound
