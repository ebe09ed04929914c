"""Save the cards of successful payments, find them for a charge, deactivate them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, DateTime, Select, Text, Uuid, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from kit.db.bulk import array_parameters, array_values, table_of
from services.payments.cards.models import Card
from services.payments.errors import CardNotFound
from services.payments.paystack.charge import Authorization
from services.payments.settings import settings


def active_cards_of(customer_id: str) -> Select[Card]:
    """Select the customer's cards that can be charged: not deactivated, and saved in the mode of our key (test or live)."""
    return select(Card).where(
        Card.customer_id == customer_id, Card.domain == settings.mode, Card.deactivated_at.is_(None)
    )


@dataclass(frozen=True, slots=True)
class ChargedCard:
    """The card of a successful payment, with the payment's customer, email and start time."""

    customer_id: str | None
    email: str | None
    started_at: datetime
    authorization: Authorization | None


_INCOMING = array_parameters(
    id=Uuid,
    customer_id=Text,
    domain=Text,
    signature=Text,
    authorization_code=Text,
    email=Text,
    last4=Text,
    brand=Text,
    exp_month=BigInteger,
    exp_year=BigInteger,
    bank=Text,
    last_payment_started_at=DateTime(timezone=True),
)
_INSERT = insert(table_of(Card)).from_select(list(_INCOMING.c.keys()), select(_INCOMING))
# A newer payment replaces the data of an active card. It replaces a deactivated card only if the payment was started after the
# deactivation, and if the data of the card have been erased.
_REPLACES = (_INSERT.excluded.last_payment_started_at > Card.last_payment_started_at) & (
    Card.deactivated_at.is_(None)
    | ((_INSERT.excluded.last_payment_started_at > Card.deactivated_at) & Card.authorization_code.is_(None))
)
IDENTITY = ("customer_id", "domain", "signature")
SAVE = _INSERT.on_conflict_do_update(
    index_elements=IDENTITY,
    set_={
        **{name: _INSERT.excluded[name] for name in _INCOMING.c.keys() if name not in ("id", *IDENTITY)},  # noqa: SIM118
        "deactivated_at": None,
    },
    where=_REPLACES,
)


async def save(session: AsyncSession, charged_cards: Sequence[ChargedCard]) -> None:
    """Save the cards of payments. If several payments used one card, the data of the payment that was started last is saved.

    A deactivated card is saved again only by a payment that was started after the deactivation, and only after the deactivation at
    Paystack is done.
    """
    # By customer and signature: the card, the email and the start of the payment that was started last.
    newest: dict[tuple[str, str], tuple[Authorization, str, datetime]] = {}
    for charged in sorted(charged_cards, key=lambda charged: charged.started_at):
        card = charged.authorization
        if card is not None and charged.customer_id is not None and charged.email:
            newest[charged.customer_id, card.signature] = card, charged.email, charged.started_at
    if not newest:
        return
    # Sorted, so that concurrent transactions lock the rows in the same order.
    rows = [(customer_id, *newest[customer_id, signature]) for customer_id, signature in sorted(newest)]
    columns = array_values(
        id=[uuid4() for _ in rows],
        customer_id=[customer_id for customer_id, _, _, _ in rows],
        domain=[settings.mode for _ in rows],
        signature=[card.signature for _, card, _, _ in rows],
        authorization_code=[card.code for _, card, _, _ in rows],
        email=[email for _, _, email, _ in rows],
        last4=[card.last4 for _, card, _, _ in rows],
        brand=[card.brand for _, card, _, _ in rows],
        exp_month=[card.exp_month for _, card, _, _ in rows],
        exp_year=[card.exp_year for _, card, _, _ in rows],
        bank=[card.bank for _, card, _, _ in rows],
        last_payment_started_at=[started_at for _, _, _, started_at in rows],
    )
    await session.execute(SAVE, columns)


async def find(session: AsyncSession, customer_id: str, card_id: UUID) -> Card:
    """Return an active card of the customer. Raises CardNotFound."""
    card = (await session.execute(active_cards_of(customer_id).where(Card.id == card_id))).scalar_one_or_none()
    if card is None:
        raise CardNotFound
    return card


async def deactivate(session: AsyncSession, customer_id: str, card_id: UUID) -> None:
    """Deactivate a card, and schedule its deactivation at Paystack (deactivation.py). Raises CardNotFound."""
    deactivated = (
        update(Card)
        .where(Card.id == card_id, Card.customer_id == customer_id, Card.deactivated_at.is_(None))
        .values(deactivated_at=func.now(), next_attempt_at=func.now(), attempts=0)
        .returning(Card.id)
    )
    if (await session.execute(deactivated)).scalar_one_or_none() is None:
        raise CardNotFound
