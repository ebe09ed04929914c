"""The routes of saved cards."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Response

from kit.http.routing import Router
from kit.problem_responses import problem_responses
from services.payments.auth import Customer
from services.payments.cards import saved_cards
from services.payments.cards.models import Card
from services.payments.cards.schemas import Cards, CardView
from services.payments.db import CurrentNotifier, Reading, Topic, sessions
from services.payments.errors import CardNotFound

MAX_LISTED = 100
router = Router(prefix="/payments", tags=["cards"])


@router.get("/cards", summary="List your saved cards")
async def list_cards(customer: Customer, session: Reading) -> Cards:
    """Return the caller's own saved cards, newest first, at most 100. Requires the scope `payments:write`."""
    query = saved_cards.active_cards_of(customer.id).order_by(Card.created_at.desc(), Card.id).limit(MAX_LISTED)
    cards = (await session.execute(query)).scalars()
    return Cards(items=[CardView.model_validate(card) for card in cards])


@router.delete(
    "/cards/{card_id}",
    status_code=204,
    summary="Delete a saved card",
    responses=problem_responses(CardNotFound),
)
async def delete_card(
    customer: Customer, notifier: CurrentNotifier, card_id: Annotated[UUID, Path(description="Id of the saved card")]
) -> Response:
    """Delete one of the caller's saved cards. Requires the scope `payments:write`.

    The card cannot be charged here from now on. A background job deactivates it at Paystack a moment later.
    """
    async with sessions.begin() as session:
        await saved_cards.deactivate(session, customer.id, card_id)
    notifier.notify(Topic.CARDS)
    return Response(status_code=204)
