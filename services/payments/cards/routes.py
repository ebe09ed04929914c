"""What payers may ask about their saved cards."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Response

from kit.errors import NotAllowed, NotAuthenticated, problem_responses
from services.payments.auth import Payer
from services.payments.cards import saved_cards
from services.payments.cards.models import Card
from services.payments.cards.schemas import Cards, CardView
from services.payments.db import CurrentNotifier, Topic, Transaction, sessions
from services.payments.errors import (
    CardNotFound,
)

MOST_SHOWN = 100
router = APIRouter(prefix="/payments", tags=["cards"])


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
