"""Grant and end roles, for the command line and for the routes of operators. Every change is recorded."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select, true
from sqlalchemy.ext.asyncio import AsyncSession

from kit.audit import entries as audit
from kit.audit.actor import Actor
from kit.db.locks import for_no_key_update
from services.auth.accounts import recovery
from services.auth.mail.waiting import mail_is_configured
from services.auth.models import ADMIN, CUSTOMER, Account, AuditLogEntry, Role
from services.auth.sessions.revocations import end_sessions_of_account
from services.auth.settings import settings

MAX_LISTED = 1000


class RoleRefused(ValueError):
    """The role cannot be granted or ended. The message says why."""


async def list_accounts_with_staff_role(db: AsyncSession) -> Sequence[Account]:
    """Return the first MAX_LISTED accounts that have a staff role, by role and address."""
    query = select(Account).where(Account.role != CUSTOMER).order_by(Account.role, Account.email).limit(MAX_LISTED)
    return (await db.scalars(query)).all()


async def grant(db: AsyncSession, actor: Actor, email: str, role: str) -> bool:
    """Give an account a staff role. Return True if that changed its role. Raises RoleRefused for an unknown account or role, for an
    address that is not verified (`may_have_staff_role`), and for a role other than ADMIN if AUTH_ADMIN_EMAIL names the account.

    If the account loses scopes, its sessions end. The role no longer depends on an earlier AUTH_ADMIN_EMAIL:
    `find_formerly_configured` does not return the account.
    """
    if role == CUSTOMER:
        raise RoleRefused(f"`{CUSTOMER}` cannot be granted: use `admin revoke`")
    roles = {row.name: row for row in await db.scalars(select(Role).where(Role.name != CUSTOMER))}
    if role not in roles:
        raise RoleRefused(f"there is no role {role!r}. Roles are {', '.join(sorted(roles))}")
    account = await _get_locked(db, email)
    if role != ADMIN:
        _check_not_configured(account)
    if not may_have_staff_role(account):
        raise RoleRefused(f"the owner of {email} has not verified this address: ask the owner to verify it first")
    old_role = account.role
    await set_role(db, actor, account, roles[role])
    return old_role != role


async def revoke(db: AsyncSession, actor: Actor, email: str) -> None:
    """Make an account a customer's account, and end its sessions.

    Every service refuses its access tokens within ten seconds. Raises RoleRefused for an unknown account, for a customer, and for the
    account that AUTH_ADMIN_EMAIL names.
    """
    account = await _get_locked(db, email)
    if account.role == CUSTOMER:
        raise RoleRefused(f"{email} has no staff role: it is a customer")
    _check_not_configured(account)
    await set_role(db, actor, account, await db.get_one(Role, CUSTOMER))


def _check_not_configured(account: Account) -> None:
    """Raise RoleRefused for the account that AUTH_ADMIN_EMAIL names: auth makes it an administrator again when it starts."""
    if account.email == settings.auth_admin_email:
        raise RoleRefused(
            f"AUTH_ADMIN_EMAIL names {account.email}, so it would be an administrator again when auth starts. Change the variable first"
        )


def may_have_staff_role(account: Account) -> bool:
    """Return whether an account can get a staff role: its address is verified, so another person has not registered it.

    There are two exceptions: the address in AUTH_ADMIN_EMAIL, because an operator chose it, and every address of a shop without mail,
    because nobody can verify it.
    """
    return account.email_verified or account.email == settings.auth_admin_email or not mail_is_configured()


async def set_role(db: AsyncSession, actor: Actor, account: Account, role: Role) -> None:
    """Give an account a role, and record it. If the account loses scopes, or gets the role of customers, its sessions end.

    Pending requests for it are revoked (recovery.py): the person who made them may not be the one who gets the role. Does nothing if the
    account has the role, unless the role came from AUTH_ADMIN_EMAIL. The caller has locked the account and checked `may_have_staff_role`.
    """
    before = {"role": account.role, "role_from_environment": account.role_from_environment}
    after: dict[str, object] = {"role": role.name, "role_from_environment": False}
    if before == after:
        return
    old_scopes = set((await db.get_one(Role, account.role)).scope.split())
    account.role, account.role_from_environment = role.name, False
    await db.flush()
    await recovery.revoke_pending_requests(db, account.id, mail_to=account.email)
    if role.name == CUSTOMER or not set(role.scope.split()) >= old_scopes:
        await end_sessions_of_account(db, account.id)
        after["sessions"] = "ended"
    act = "role.revoked" if role.name == CUSTOMER else "role.granted"
    await audit.record(db, AuditLogEntry, actor, act, account.id, before=before, after=after)


async def find_formerly_configured(db: AsyncSession, configured_email: str | None) -> Sequence[UUID]:
    """Return the ids of up to MAX_LISTED administrators that AUTH_ADMIN_EMAIL named earlier. `configured_email`: the address that it names
    now.
    """
    others = true() if configured_email is None else Account.email != configured_email
    query = select(Account.id).where(Account.role == ADMIN, Account.role_from_environment, others).limit(MAX_LISTED)
    return (await db.scalars(query)).all()


async def _get_locked(db: AsyncSession, email: str) -> Account:
    account: Account | None = await db.scalar(for_no_key_update(select(Account).where(Account.email == email)))
    if account is None:
        raise RoleRefused(f"there is no account with the address {email}: register it first")
    return account
