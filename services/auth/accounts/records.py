"""Create, find and update accounts."""

from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from kit.auth import Caller
from kit.errors import NotAuthenticated
from services.auth.errors import AccountNeeded, EmailTaken
from services.auth.models import Account


async def create(session: AsyncSession, *, email: str, name: str | None, password_hash: str) -> Account:
    """Create a customer's account. Raises EmailTaken."""
    row = insert(Account).values(email=email, name=name, password_hash=password_hash)
    account: Account | None = await session.scalar(
        row.on_conflict_do_nothing(index_elements=[Account.email]).returning(Account)
    )
    if account is None:
        raise EmailTaken
    return account


async def find_by_email(session: AsyncSession, email: str) -> Account | None:
    """Return the account with this normalized email address, or None."""
    account: Account | None = await session.scalar(select(Account).where(Account.email == email))
    return account


async def get_for_caller(session: AsyncSession, caller: Caller) -> Account:
    """Return the account that an access token was issued to.

    Raises AccountNeeded if the token belongs to a client, NotAuthenticated if the account was deleted.
    """
    try:
        account = await session.get(Account, UUID(caller.id))
    except ValueError:
        raise AccountNeeded from None
    if account is None:
        raise NotAuthenticated("The account of this access token was deleted.")
    return account


async def upgrade_password_hash(session: AsyncSession, account: Account, password_hash: str) -> None:
    """Replace an outdated hash by a new hash of the same password, unless the password was changed meanwhile."""
    same_password = (Account.id == account.id, Account.password_hash == account.password_hash)
    await session.execute(update(Account).where(*same_password).values(password_hash=password_hash))
