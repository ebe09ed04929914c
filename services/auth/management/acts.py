"""What operators do with accounts. Each act is recorded in its transaction, with the id of the account and no personal data."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from kit.audit import entries as audit
from services.auth.accounts import roles
from services.auth.accounts.events import publish_change
from services.auth.errors import AccountNotFound, AddressNotVerified, RoleOfGuest, UnknownRole
from services.auth.management.operators import Operator, check_not_own_or_configured, check_scopes, get_locked
from services.auth.models import CUSTOMER, Account, AuditLogEntry, Role
from services.auth.sessions.revocations import end_sessions_of_account


async def get(db: AsyncSession, account_id: UUID) -> Account:
    """Return an account with its role. Raises AccountNotFound."""
    account = await db.get(Account, account_id, options=[joinedload(Account.role_row)])
    if account is None:
        raise AccountNotFound
    return account


async def ban(db: AsyncSession, operator: Operator, account_id: UUID, reason: str, until: datetime | None) -> Account:
    """Refuse logins of an account until a time, or without end if it is None, and end its sessions. Replaces an earlier ban.

    Every service refuses its access tokens within ten seconds. Raises AccountNotFound, ScopesNotHeld, OwnAccount, ConfiguredAdministrator.
    """
    account = await get_locked(db, operator, account_id)
    check_not_own_or_configured(operator, account)
    before = _ban(account)
    account.banned_at, account.banned_until, account.ban_reason = func.now(), until, reason
    await db.flush()
    await db.refresh(account, ["banned_at"])
    await end_sessions_of_account(db, account.id)
    await audit.record(
        db,
        AuditLogEntry,
        operator.actor,
        "account.banned",
        account.id,
        before=before,
        after=_ban(account),
        reason=reason,
    )
    return account


async def unban(db: AsyncSession, operator: Operator, account_id: UUID) -> Account:
    """End the ban of an account. Does nothing if it is not banned. Raises AccountNotFound, ScopesNotHeld."""
    account = await get_locked(db, operator, account_id)
    if account.banned:
        before = _ban(account)
        account.banned_at = account.banned_until = account.ban_reason = None
        await audit.record(db, AuditLogEntry, operator.actor, "account.unbanned", account.id, before=before)
    return account


async def end_sessions(db: AsyncSession, operator: Operator, account_id: UUID) -> int:
    """End all sessions of an account. Return how many ended. Raises AccountNotFound, ScopesNotHeld."""
    account = await get_locked(db, operator, account_id)
    ended = await end_sessions_of_account(db, account.id)
    await audit.record(
        db, AuditLogEntry, operator.actor, "account.sessions_ended", account.id, after={"sessions": ended}
    )
    return ended


async def set_role(db: AsyncSession, operator: Operator, account_id: UUID, role: str) -> Account:
    """Give an account a role. If it loses scopes, its sessions end.

    Raises AccountNotFound, UnknownRole, ScopesNotHeld for a role with scopes that the operator does not have, OwnAccount,
    ConfiguredAdministrator, RoleOfGuest, AddressNotVerified.
    """
    account = await get_locked(db, operator, account_id)
    if account.role != role:
        granted = await db.get(Role, role)
        if granted is None:
            known = await db.scalars(select(Role.name).order_by(Role.name))
            raise UnknownRole(f"There is no role with this name. Roles are {', '.join(known)}.")
        check_scopes(operator, frozenset(granted.scope.split()))
        check_not_own_or_configured(operator, account)
        if account.email is None:
            raise RoleOfGuest
        if role != CUSTOMER and not roles.may_have_staff_role(account):
            raise AddressNotVerified
        await roles.set_role(db, operator.actor, account, granted)
    return account


async def rename(db: AsyncSession, operator: Operator, account_id: UUID, name: str | None) -> Account:
    """Change or remove the name of an account. Raises AccountNotFound, ScopesNotHeld."""
    account = await get_locked(db, operator, account_id)
    if account.name != name:
        account.name = name
        await db.flush()
        await publish_change(db, account.id)
        after = {"name": "changed" if name else "removed"}
        await audit.record(db, AuditLogEntry, operator.actor, "account.renamed", account.id, after=after)
    return account


def _ban(account: Account) -> dict[str, str | None] | None:
    """Return the times of the account's ban as JSON, or None if it is not banned."""
    if not account.banned or account.banned_at is None:
        return None
    until = account.banned_until
    return {
        "banned_at": account.banned_at.astimezone(UTC).isoformat(),
        "banned_until": until.astimezone(UTC).isoformat() if until else None,
    }
