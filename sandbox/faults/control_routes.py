"""Control routes of the faults."""

from fastapi import APIRouter

from sandbox.faults.models import Faults
from sandbox.responses import ApiResponse, success
from sandbox.state import CurrentState

router = APIRouter(prefix="/sandbox", tags=["Sandbox controls"])


@router.put("/faults")
async def replace_faults(faults: Faults, state: CurrentState) -> ApiResponse:
    """Replace all faults. Omitted fields mean no fault.

    The modes `timeout_after_store` and `reset` carry out the call and lose its response. The `wrong_…` modes of verify carry out
    the call and change one value of the response. All other modes do not carry out the call.
    """
    state.fault_injector.replace(faults)
    return success("Faults set", faults.model_dump())


@router.get("/faults")
async def show_faults(state: CurrentState) -> ApiResponse:
    """Show the current faults."""
    return success("Faults retrieved", state.fault_injector.faults.model_dump())


@router.delete("/faults")
async def clear_faults(state: CurrentState) -> ApiResponse:
    """Remove all faults."""
    state.fault_injector.replace(Faults())
    return success("Faults cleared", Faults().model_dump())
