"""Control routes of the disputes: open, remind, resolve, and the upload of files."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import Response

from sandbox.controls import DeliveryControls, RowId
from sandbox.disputes import bodies, uploads
from sandbox.disputes.lifecycle import DisputeRequest
from sandbox.enums import DisputeCategory, DisputeOutcome, DisputeResolution
from sandbox.responses import ApiResponse, success
from sandbox.state import CurrentState

router = APIRouter(prefix="/sandbox", tags=["Sandbox controls"])


class NewDispute(DeliveryControls):
    reference: str = Field(pattern=r"^[!-~]{1,200}$", description="Reference of a paid transaction.")
    amount: int | None = Field(None, ge=1, le=10**15, description="Subunits. Omitted: the amount that is not refunded.")
    category: DisputeCategory = Field(DisputeCategory.CHARGEBACK, strict=False)
    message: str = Field("Customer says that nothing was delivered", min_length=1, max_length=500)
    hours: float = Field(
        16,
        gt=0,
        le=1_000,
        description="Hours until the dispute is accepted automatically. One hour takes 5 s × SANDBOX_TIME_SCALE.",
    )


class DisputeChange(DeliveryControls):
    outcome: DisputeOutcome = Field(strict=False)


@router.post("/disputes")
async def open_dispute(new: NewDispute, state: CurrentState) -> ApiResponse:
    """Open a dispute of a paid transaction. Reminders are sent every 4 hours. The dispute is accepted automatically after `hours`."""
    request = DisputeRequest(new.reference, new.amount, new.category, new.message, new.hours)
    dispute, transaction = await state.store.run(
        lambda connection: state.disputes.open(connection, request, new.delivery)
    )
    state.notify()
    return success("Dispute opened", bodies.fetched_body(dispute, transaction))


@router.post("/disputes/{dispute_id}")
async def change_dispute(dispute_id: RowId, change: DisputeChange, state: CurrentState) -> ApiResponse:
    """Send a reminder of a dispute, or resolve it now. `merchant-accepted` and `auto-accepted` refund the money."""
    delivery, outcome = change.delivery, change.outcome
    dispute, transaction = await state.store.run(
        lambda connection: (
            state.disputes.remind(connection, dispute_id, delivery)
            if outcome == DisputeOutcome.REMIND
            else state.disputes.resolve(connection, dispute_id, DisputeResolution(outcome), delivery)
        )
    )
    state.notify()
    return success("Dispute changed", bodies.fetched_body(dispute, transaction))


@router.put("/uploads/{name}", tags=["Uploads"])
async def upload_file(
    name: str,
    request: Request,
    state: CurrentState,
    expires: Annotated[int, Query()],
    signature: Annotated[str, Query(max_length=200)],
) -> Response:
    """Accept a file at a signed upload URL. The file is not stored."""
    uploads.check_signature(state.settings.key, name, expires, signature)
    await request.body()
    return Response()
