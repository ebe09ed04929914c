"""For scripts and tests: complain as the payer does, and be the bank and the clock."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import Response

from sandbox.disputes import bodies, uploads
from sandbox.disputes.book import Category, Resolution
from sandbox.disputes.life import Complaint
from sandbox.integration import Merchant
from sandbox.orders import Number, Raising
from sandbox.wire import Answer, succeeded

router = APIRouter(prefix="/sandbox", tags=["Script"])


class Opened(Raising):
    reference: str = Field(pattern=r"^[!-~]{1,200}$", description="Of a paid transaction.")
    amount: int | None = Field(None, ge=1, le=10**15, description="Subunits; all that was not given back, if left out.")
    category: Category = "chargeback"
    message: str = Field("Customer says that nothing was delivered", min_length=1, max_length=500)
    hours: float = Field(16, gt=0, le=1_000, description="Until it is accepted in silence; five seconds stand for one.")


class Moved(Raising):
    outcome: Resolution | Literal["remind"]


@router.post("/disputes")
async def open_dispute(opened: Opened, merchant: Merchant) -> Answer:
    """Dispute a paid transaction. Reminders follow every 4 hours; after 16 it is accepted in the merchant's name."""
    complaint = Complaint(opened.reference, opened.amount, opened.category, opened.message, opened.hours)
    dispute, transaction = await merchant.store.run(
        lambda connection: merchant.disputes.open(connection, complaint, opened.order)
    )
    merchant.wake()
    return succeeded("Dispute opened", bodies.fetched(dispute, transaction))


@router.post("/disputes/{number}")
async def move_dispute(number: Number, moved: Moved, merchant: Merchant) -> Answer:
    """Remind of a dispute, or settle it now; both of the accepted give the money back."""
    order, outcome = moved.order, moved.outcome
    dispute, transaction = await merchant.store.run(
        lambda connection: (
            merchant.disputes.remind(connection, number, order)
            if outcome == "remind"
            else merchant.disputes.settle(connection, number, outcome, order)
        )
    )
    merchant.wake()
    return succeeded("Dispute moved", bodies.fetched(dispute, transaction))


@router.put("/uploads/{name}", tags=["Uploads"])
async def upload(
    name: str,
    request: Request,
    merchant: Merchant,
    expires: Annotated[int, Query()],
    signature: Annotated[str, Query(max_length=200)],
) -> Response:
    """Takes a file as the cloud would, and keeps nothing of it."""
    uploads.check(merchant.settings.key, name, expires, signature)
    await request.body()
    return Response()
