"""Routes for decisions about held payments. All require the scope payments:decide."""

from kit.errors import NotAllowed
from kit.http.routing import Router
from kit.problem_responses import problem_responses
from services.payments.auth import Reference, ReviewActor, ReviewOperator
from services.payments.clients import CurrentClients
from services.payments.db import CurrentNotifier, Topic, sessions
from services.payments.errors import (
    CatalogUnavailable,
    NotHeld,
    NothingOverpaid,
    OrderNotBindable,
    OrderNotFound,
    PaymentNotFound,
    RefundNotWhole,
)
from services.payments.holds import review
from services.payments.holds.schemas import AcceptPayment, BindPayment
from services.payments.refunds.requests import unfinished_amounts
from services.payments.schemas import PaymentView

router = Router(prefix="/payments/{reference}", tags=["held payments"])


@router.post(
    "/accept",
    summary="Accept a held payment",
    responses=problem_responses(PaymentNotFound, NotHeld, NothingOverpaid, RefundNotWhole),
)
async def accept_payment(
    caller: ReviewOperator,
    actor: ReviewActor,
    notifier: CurrentNotifier,
    reference: Reference,
    request: AcceptPayment,
) -> PaymentView:
    """Accept a payment whose amount, currency or mode differs from the order, so that the order is delivered.

    With `"refund_difference": true`, what the payer paid too much is refunded: the scope `payments:refund` is required too. A payment that
    Paystack had refunded before this shop knew that it was paid (`held_reason` `reversed`) can be accepted if that refund failed. Requires
    the scope `payments:decide`.
    """
    if request.refund_difference and "payments:refund" not in caller.scopes:
        raise NotAllowed("`refund_difference` also requires an access token with the scope payments:refund.")
    async with sessions.begin() as session:
        payment = await review.accept(
            session, reference, actor, request.reason, refund_difference=request.refund_difference
        )
        await session.refresh(payment)
        refunding = await unfinished_amounts(session, [payment.id])
        view = PaymentView.model_validate(payment).model_copy(update={"refunding_amount": refunding.get(payment.id, 0)})
    notifier.notify(Topic.OUTBOX, *([Topic.REFUNDS] if request.refund_difference else ()))
    return view


@router.post(
    "/bind",
    summary="Bind a held payment to an order",
    responses=problem_responses(PaymentNotFound, OrderNotFound, NotHeld, OrderNotBindable, CatalogUnavailable),
)
async def bind_payment(
    caller: ReviewOperator,
    actor: ReviewActor,
    clients: CurrentClients,
    notifier: CurrentNotifier,
    reference: Reference,
    request: BindPayment,
) -> PaymentView:
    """Bind a payment to an order of the same amount, if it is held because its reference was unknown. The order is delivered.

    Such a payment has the `held_reason` `unknown_reference` and no order. The order must be pending or expired, and must cost exactly the
    remaining amount of the payment. Requires the scope `payments:decide`.
    """
    order = await clients.catalog.get_order(request.order_id, caller)
    async with sessions.begin() as session:
        payment = await review.bind(session, reference, actor, order, request.reason)
        await session.refresh(payment)
        view = PaymentView.model_validate(payment)
    notifier.notify(Topic.OUTBOX)
    return view
