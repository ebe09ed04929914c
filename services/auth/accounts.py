"""Accounts: who can log in."""

from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from kit.auth import Caller
from kit.errors import NotAuthenticated
from services.auth.errors import AccountNeeded, EmailTaken
from services.auth.models import Account


async def create(session: AsyncSession, *, email: str, name: str | None, password_hash: str) -> Account:
    """A customer's account. Raises EmailTaken."""
    made = insert(Account).values(email=email, name=name, password_hash=password_hash)
    account: Account | None = await session.scalar(
        made.on_conflict_do_nothing(index_elements=[Account.email]).returning(Account)
    )
    if account is None:
        raise EmailTaken
    return account


async def with_email(session: AsyncSession, email: str) -> Account | None:
    found: Account | None = await session.scalar(select(Account).where(Account.email == email))
    return found


async def of(session: AsyncSession, caller: Caller) -> Account:
    """The account behind an access token. Raises AccountNeeded for a client's token, NotAuthenticated where the account is gone."""
    try:
        account = await session.get(Account, UUID(caller.id))
    except ValueError:
        raise AccountNeeded from None
    if account is None:
        raise NotAuthenticated("The account of this access token is gone.")
    return account


async def upgrade_hash(session: AsyncSession, account: Account, better: str) -> None:
    """Store a hash of the newer kind, unless the password was changed meanwhile."""
    same = update(Account).where(Account.id == account.id, Account.password_hash == account.password_hash)
    await session.execute(same.values(password_hash=better))
