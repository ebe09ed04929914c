"""What payers may ask about their saved cards."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Path, Response

from kit.errors import NotAllowed, NotAuthenticated, problem_responses
from kit.fields import IdempotencyKey
from kit.idempotency.keys import IdempotencyKeyInUse, IdempotencyKeyReused
from services.payments.auth import Payer
from services.payments.cards import saved_cards
from services.payments.cards.schemas import Cards, CardView, ChargeCard
from services.payments.checkout import saved_card
from services.payments.clients import CurrentClients
from services.payments.db import CurrentNotifier, LongRunning, Topic, Transaction, sessions
from services.payments.errors import (
    CardNotFound,
    CatalogUnavailable,
    ChargePending,
    NotConfigured,
    OrderNotFound,
    OrderNotPayable,
    PaymentRefused,
    PaystackUnavailable,
)
from services.payments.models import Card
from services.payments.schemas import PaymentView

MOST_SHOWN = 100
router = APIRouter(prefix="/payments", tags=["cards"])
KeyNeeded = Annotated[
    IdempotencyKey,
    Header(
        alias="Idempotency-Key",
        description="A value of yours, one for each intent: money moves at once, and an answer may be lost",
    ),
]


@router.post(
    "/charge",
    status_code=201,
    responses=problem_responses(
        NotAuthenticated,
        NotAllowed,
        OrderNotFound,
        CardNotFound,
        NotConfigured,
        OrderNotPayable,
        ChargePending,
        IdempotencyKeyInUse,
        PaymentRefused,
        IdempotencyKeyReused,
        PaystackUnavailable,
        CatalogUnavailable,
    ),
)
async def charge(
    payer: Payer, clients: CurrentClients, long_running: LongRunning, asked: ChargeCard, idempotency_key: KeyNeeded
) -> PaymentView:
    """Pay for an order with a saved card. Read `status`: succeeded, failed, or pending.

    Pending with an `authorization_url`: the bank wants to see the payer there. Pending without: not known yet, it is being asked.
    """
    return await saved_card.charge(sessions, long_running, clients, payer, asked, idempotency_key)


@router.get("/cards", responses=problem_responses(NotAuthenticated, NotAllowed))
async def list_cards(payer: Payer, session: Transaction) -> Cards:
    """One's own saved cards, the latest first; at most a hundred."""
    found = await session.execute(
        saved_cards.cards_of(payer.id).order_by(Card.created_at.desc(), Card.id).limit(MOST_SHOWN)
    )
    return Cards(items=[CardView.model_validate(card) for card in found.scalars()])


@router.delete(
    "/cards/{card_id}", status_code=204, responses=problem_responses(NotAuthenticated, NotAllowed, CardNotFound)
)
async def delete_card(payer: Payer, notifier: CurrentNotifier, card_id: Annotated[UUID, Path()]) -> Response:
    """Forget a saved card: it cannot be charged any more, here at once and at Paystack in a moment."""
    async with sessions.begin() as session:
        await saved_cards.deactivate(session, payer.id, card_id)
    notifier.notify(Topic.CARDS)
    return Response(status_code=204)
