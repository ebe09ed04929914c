"""What those may decide who hold the scope payments:decide."""

from fastapi import APIRouter

from kit.errors import NotAllowed, NotAuthenticated, problem_responses
from services.payments.auth import Reference, ReviewOperator
from services.payments.clients import CurrentClients
from services.payments.db import CurrentNotifier, Topic, sessions
from services.payments.errors import CatalogUnavailable, NotHeld, OrderNotFound, OrderNotPayable, PaymentNotFound
from services.payments.holds import review
from services.payments.holds.schemas import Accept, Bind
from services.payments.schemas import PaymentView

router = APIRouter(prefix="/payments/{reference}", tags=["held money"])


@router.post("/accept", responses=problem_responses(NotAuthenticated, NotAllowed, PaymentNotFound, NotHeld))
async def accept(
    caller: ReviewOperator, notifier: CurrentNotifier, reference: Reference, decided: Accept
) -> PaymentView:
    """Deliver for what was paid, although its amount, currency or mode differs."""
    async with sessions.begin() as session:
        payment = await review.accept(session, reference, caller, decided.reason)
        await session.refresh(payment)
        view = PaymentView.model_validate(payment)
    notifier.notify(Topic.OUTBOX)
    return view


@router.post(
    "/bind",
    responses=problem_responses(
        NotAuthenticated, NotAllowed, PaymentNotFound, OrderNotFound, NotHeld, OrderNotPayable, CatalogUnavailable
    ),
)
async def bind(
    caller: ReviewOperator, clients: CurrentClients, notifier: CurrentNotifier, reference: Reference, decided: Bind
) -> PaymentView:
    """Let money that came under a reference of nobody pay for an order of exactly its amount."""
    order = await clients.catalog.get(decided.order_id, caller)
    async with sessions.begin() as session:
        payment = await review.bind(session, reference, caller, order, decided.reason)
        await session.refresh(payment)
        view = PaymentView.model_validate(payment)
    notifier.notify(Topic.OUTBOX)
    return view
