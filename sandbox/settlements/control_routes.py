"""Control route of the settlements: settle now."""

from fastapi import APIRouter

from sandbox.responses import ApiResponse, success
from sandbox.settlements import queries
from sandbox.settlements.bodies import settlement_body
from sandbox.state import CurrentState

router = APIRouter(prefix="/sandbox", tags=["Sandbox controls"])


@router.post("/settlements")
async def settle(state: CurrentState) -> ApiResponse:
    """Pay out all paid transactions that are in no settlement: create one settlement per currency.

    Processed refunds are deducted as far as the payout covers them. The others are deducted from the next settlement.
    """
    settlements = await state.store.run(lambda connection: queries.settle(connection, state.settings.domain))
    return success("Settled", [settlement_body(settlement) for settlement in settlements])
