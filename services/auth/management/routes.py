"""Operators find, change and ban accounts. All calls require the scope `accounts:manage`."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query, Response

from kit.auth import Caller
from kit.fields import Line
from kit.http.routing import Router
from kit.pagination import CursorParam, InvalidCursor, Limit, decode_cursor, encode_cursor, split_page
from kit.problem_responses import problem_responses
from services.auth.db import DatabaseTransaction, Reading
from services.auth.errors import (
    AccountNotFound,
    AddressNotVerified,
    ConfiguredAdministrator,
    OwnAccount,
    RoleOfGuest,
    ScopesNotHeld,
    UnknownRole,
)
from services.auth.management import acts, search
from services.auth.management.callers import AccountId, CurrentOperator, may_manage
from services.auth.management.schemas import AccountPage, AccountUpdate, Ban, ManagedAccountView, RoleName
from services.auth.management.search import AccountFilter, AccountStatus

LIST_NAME = "accounts"
router = Router(prefix="/auth/users", tags=["account management"])


@router.get("", summary="List accounts", responses=problem_responses(InvalidCursor))
async def list_accounts(
    _: Annotated[Caller, Depends(may_manage)],
    db: Reading,
    q: Annotated[
        Line | None,
        Query(description="The id, the beginning of the e-mail address, or the beginnings of words of the name"),
    ] = None,
    role: Annotated[RoleName | None, Query(description="Only accounts with this role")] = None,
    status: Annotated[AccountStatus | None, Query(description="Only accounts that are banned, or are not")] = None,
    limit: Limit = 20,
    cursor: CursorParam = None,
) -> AccountPage:
    """Return the accounts that match all parameters, newest first. Requires the scope `accounts:manage`."""
    before = None if cursor is None else decode_cursor(cursor, LIST_NAME, datetime, UUID)
    rows = await search.list_accounts(db, AccountFilter(q, role, status), limit + 1, before)
    page, next_cursor = split_page(rows, limit, lambda row: encode_cursor(LIST_NAME, row.created_at, row.id))
    return AccountPage(items=[ManagedAccountView.of(row) for row in page], next_cursor=next_cursor)


@router.get("/{account_id}", summary="Get the details of an account", responses=problem_responses(AccountNotFound))
async def get_account_details(
    _: Annotated[Caller, Depends(may_manage)], db: Reading, account_id: AccountId
) -> ManagedAccountView:
    """Return an account. Requires the scope `accounts:manage`."""
    return ManagedAccountView.of(await acts.get(db, account_id))


@router.patch(
    "/{account_id}",
    summary="Change the details of an account",
    responses=problem_responses(
        AccountNotFound,
        UnknownRole,
        ScopesNotHeld,
        OwnAccount,
        ConfiguredAdministrator,
        RoleOfGuest,
        AddressNotVerified,
    ),
)
async def change_account_details(
    change: AccountUpdate, operator: CurrentOperator, db: DatabaseTransaction, account_id: AccountId
) -> ManagedAccountView:
    """Change the role or the name. Requires the scope `accounts:manage`.

    Nobody grants or ends a role with scopes that they do not have, except those of customers. If the account loses scopes, its sessions
    end, and every service refuses its access tokens within ten seconds.
    """
    if change.role is not None:
        await acts.set_role(db, operator, account_id, change.role)
    if "name" in change.model_fields_set:
        await acts.rename(db, operator, account_id, change.name)
    return ManagedAccountView.of(await acts.get(db, account_id))


@router.post(
    "/{account_id}/ban",
    summary="Ban an account",
    responses=problem_responses(AccountNotFound, ScopesNotHeld, OwnAccount, ConfiguredAdministrator),
)
async def ban_account(
    ban: Ban, operator: CurrentOperator, db: DatabaseTransaction, account_id: AccountId
) -> ManagedAccountView:
    """Refuse logins of the account until a time, or without end, and end its sessions. Requires the scope `accounts:manage`.

    Its refresh tokens end at once, and every service refuses its access tokens within ten seconds. A new ban replaces an earlier one.
    """
    return ManagedAccountView.of(await acts.ban(db, operator, account_id, ban.reason, ban.until))


@router.post(
    "/{account_id}/unban",
    summary="Unban an account",
    responses=problem_responses(AccountNotFound, ScopesNotHeld),
)
async def unban_account(
    operator: CurrentOperator, db: DatabaseTransaction, account_id: AccountId
) -> ManagedAccountView:
    """Allow logins of the account again. Does nothing if it is not banned. Requires the scope `accounts:manage`."""
    return ManagedAccountView.of(await acts.unban(db, operator, account_id))


@router.delete(
    "/{account_id}/sessions",
    status_code=204,
    summary="End the sessions of an account",
    responses=problem_responses(AccountNotFound, ScopesNotHeld),
)
async def end_account_sessions(operator: CurrentOperator, db: DatabaseTransaction, account_id: AccountId) -> Response:
    """Log the account out everywhere. Requires the scope `accounts:manage`."""
    await acts.end_sessions(db, operator, account_id)
    return Response(status_code=204)
