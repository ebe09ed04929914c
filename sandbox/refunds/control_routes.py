"""Control route of the refunds: change the status of a refund."""

import sqlite3

from fastapi import APIRouter
from pydantic import Field

from sandbox.controls import DeliveryControls, RowId
from sandbox.enums import RefundOutcome
from sandbox.refunds import bodies
from sandbox.responses import ApiResponse, success
from sandbox.state import CurrentState
from sandbox.transactions import queries as transaction_queries

router = APIRouter(prefix="/sandbox", tags=["Sandbox controls"])


class RefundChange(DeliveryControls):
    outcome: RefundOutcome = Field(strict=False)


@router.post("/refunds/{refund_id}")
async def change_refund(refund_id: RowId, change: RefundChange, state: CurrentState) -> ApiResponse:
    """Change the status of a refund now, and send its webhook. Afterwards, only control calls and the retry of a refund change it.

    No webhook is sent for a skipped status. A processed or failed refund cannot be changed: 409.
    """

    def job(connection: sqlite3.Connection) -> ApiResponse:
        refund = state.refunds.set_outcome(connection, refund_id, change.outcome, change.delivery)
        transaction = transaction_queries.find_by_id(connection, refund.transaction_id)
        return success("Refund changed", bodies.fetched_body(refund, transaction))

    response = await state.store.run(job)
    state.notify()
    return response
