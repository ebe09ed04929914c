"""The cards of a payer: kept from what was paid, found again, forgotten on request."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, DateTime, Select, Text, Uuid, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from kit.db.bulk import arrays
from services.payments.cards.models import Card
from services.payments.errors import CardNotFound
from services.payments.paystack.charge import Authorization
from services.payments.settings import settings


def cards_of(payer_id: str) -> Select[Card]:
    """Those that may be charged: not forgotten, and of our key's mode, as test and live hold different cards."""
    return select(Card).where(Card.payer_id == payer_id, Card.domain == settings.domain, Card.deactivated_at.is_(None))


@dataclass(frozen=True, slots=True)
class PaidCard:
    """A card that a customer's payment was made with; email and start time are the payment's."""

    payer_id: str | None
    email: str | None
    started_at: datetime
    authorization: Authorization | None


async def save(session: AsyncSession, paid_cards: Sequence[PaidCard]) -> None:
    """Save the cards of payments, with the email of the payment. The payment with a card that was started last says what is known of it.

    A deactivated card comes back only by a payment that was started afterwards, and not before Paystack knows that it was deactivated.
    """
    newest: dict[tuple[str, str], tuple[Authorization, str, datetime]] = {}
    for paid in sorted(paid_cards, key=lambda one: one.started_at):
        card = paid.authorization
        if card is not None and paid.payer_id is not None and paid.email:
            newest[paid.payer_id, card.signature] = card, paid.email, paid.started_at
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
