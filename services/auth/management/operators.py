"""The operator who acts on accounts, and the rules about which accounts."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from contracts.tokens import CUSTOMER_SCOPES
from kit.audit.actor import Actor
from kit.db.locks import for_no_key_update
from services.auth.errors import AccountNotFound, ConfiguredAdministrator, OwnAccount, ScopesNotHeld
from services.auth.models import Account
from services.auth.sessions.models import LoginSession
from services.auth.settings import settings


@dataclass(frozen=True, slots=True)
class Operator:
    """Who acts on an account. `scopes`: those of the access token; None for the command line, which has all."""

    actor: Actor
    scopes: frozenset[str] | None = None


def check_scopes(operator: Operator, role_scopes: frozenset[str]) -> None:
    """Raise ScopesNotHeld if a role has a scope that the operator does not have. Scopes of customers are ignored."""
    if operator.scopes is not None and not role_scopes <= operator.scopes | CUSTOMER_SCOPES:
        raise ScopesNotHeld


async def get_locked(db: AsyncSession, operator: Operator, account_id: UUID) -> Account:
    """Lock an account until the end of the transaction. Return it with its role.

    Raises AccountNotFound, and ScopesNotHeld if the role has more scopes than the operator.
    """
    query = select(Account).where(Account.id == account_id)
    with_role = query.options(joinedload(Account.role_row, innerjoin=True))
    account: Account | None = await db.scalar(for_no_key_update(with_role, of=Account))
    if account is None:
        raise AccountNotFound
    check_scopes(operator, account.scopes)
    return account


def check_not_own_or_configured(operator: Operator, account: Account) -> None:
    """Raise OwnAccount or ConfiguredAdministrator for an account that this operator can neither ban nor give another role."""
    if operator.actor.id == str(account.id):
        raise OwnAccount
    if settings.auth_admin_email is not None and account.email == settings.auth_admin_email:
        raise ConfiguredAdministrator


async def session_exists(db: AsyncSession, sid: str) -> bool:
    """Return whether a session has not ended."""
    return bool(await db.scalar(select(exists().where(LoginSession.sid == sid))))
