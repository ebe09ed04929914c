"""Export and deletion of an account."""

from typing import Annotated

from fastapi import Depends

from kit.auth import Caller, authenticate
from kit.http.routing import Router
from kit.problem_responses import problem_responses
from services.auth.accounts import deletion_requests, export, records
from services.auth.accounts.password_hashing import CurrentPasswordHasher
from services.auth.accounts.schemas import AccountDeletion, AccountExport, ScheduledDeletion
from services.auth.db import DatabaseTransaction, Reading, db_sessions
from services.auth.errors import AccountHasStaffRole, AccountNeeded, TooBusy, WrongPassword
from services.auth.throttling.request_source import CurrentRequestSource

router = Router(prefix="/auth", tags=["accounts"])


@router.post(
    "/me/delete",
    summary="Delete your account",
    status_code=202,
    responses=problem_responses(AccountNeeded, WrongPassword, AccountHasStaffRole, TooBusy),
)
async def delete_account(
    deletion: AccountDeletion,
    caller: Annotated[Caller, Depends(authenticate)],
    hasher: CurrentPasswordHasher,
    source: CurrentRequestSource,
) -> ScheduledDeletion:
    """Delete your account after 14 days. All sessions end now. Until then, log in and call POST /auth/me/restore to keep it.

    Orders and payments stay, because the shop needs them for its accounting, but without your name, e-mail address and shipping address.
    """
    delete_at = await deletion_requests.request_deletion(db_sessions, hasher, source, caller, deletion.password)
    return ScheduledDeletion(delete_at=delete_at)


@router.post("/me/restore", summary="Restore your account", status_code=204, responses=problem_responses(AccountNeeded))
async def restore_account(caller: Annotated[Caller, Depends(authenticate)], db: DatabaseTransaction) -> None:
    """Keep an account whose deletion was requested."""
    account = await records.get_for_caller(db, caller)
    account.delete_at = None


@router.get("/me/export", summary="Export your account", responses=problem_responses(AccountNeeded))
async def export_account(caller: Annotated[Caller, Depends(authenticate)], db: Reading) -> AccountExport:
    """Return what auth stores about your account. Orders and payments are at GET /catalog/orders and GET /payments."""
    return await export.export_account(db, await records.get_for_caller(db, caller))
