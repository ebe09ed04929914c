"""Create, find and update accounts."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Text, Uuid, bindparam, exists, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from kit.auth import Caller
from kit.db.bulk import table_of
from kit.db.locks import for_no_key_update
from kit.errors import NotAuthenticated
from services.auth.accounts.models import OneTimeToken, TokenPurpose
from services.auth.errors import AccountNeeded, EmailTaken, WrongPassword
from services.auth.models import Account
from services.auth.sessions.models import LoginSession

ENDED = "The session of this access token has ended, or its account was deleted. Log in again."


async def create(db: AsyncSession, *, email: str, name: str | None, password_hash: str) -> Account:
    """Create a customer's account. Raises EmailTaken."""
    row = insert(Account).values(email=email, name=name, password_hash=password_hash)
    account: Account | None = await db.scalar(
        row.on_conflict_do_nothing(index_elements=[Account.email]).returning(Account)
    )
    if account is None or await is_reserved(db, email):
        raise EmailTaken
    return account


async def is_reserved(db: AsyncSession, email: str) -> bool:
    """Return whether this was the address of an account that can still have it back (email_change.undo).

    It is certain only after the address was given to an account: then a concurrent change away from this address is finished.
    """
    return bool(await db.scalar(select(reserved(literal(email)))))


def reserved(email: ColumnElement[str]) -> ColumnElement[bool]:
    """Return the condition of `is_reserved`."""
    undo = (OneTimeToken.purpose == TokenPurpose.UNDO_EMAIL_CHANGE, OneTimeToken.expires_at > func.now())
    return exists().where(OneTimeToken.email == email, *undo)


async def find_by_email(db: AsyncSession, email: str) -> Account | None:
    """Return the account with this normalized e-mail address, with its role, or None."""
    account: Account | None = await db.scalar(_WITH_EMAIL, {"email": email})
    return account


_WITH_EMAIL = (
    select(Account).where(Account.email == bindparam("email", type_=Text)).options(joinedload(Account.role_row))
)


async def get_for_caller(db: AsyncSession, caller: Caller) -> Account:
    """Return the account that an access token was issued to.

    Raises AccountNeeded if the token belongs to a program, NotAuthenticated if the account was deleted or the session has ended.
    """
    query = select(Account).where(Account.id == _account_id(caller))
    if caller.session_id is not None:
        query = query.where(exists().where(LoginSession.sid == caller.session_id))
    account: Account | None = await db.scalar(query)
    if account is None:
        raise NotAuthenticated(ENDED)
    return account


def _account_id(caller: Caller) -> UUID:
    try:
        return UUID(caller.id)
    except ValueError:
        raise AccountNeeded from None


class AccountFacts(NamedTuple):
    """The columns of an account that its owner sees."""

    id: UUID
    email: str | None
    email_verified: bool
    name: str | None
    created_at: datetime
    delete_at: datetime | None


_ACCOUNTS, _SID = table_of(Account), bindparam("sid", type_=Text)
_OF_CALLER = select(
    *(_ACCOUNTS.c.id, _ACCOUNTS.c.email, _ACCOUNTS.c.email_verified_at.is_not(None)),
    *(_ACCOUNTS.c.name, _ACCOUNTS.c.created_at, _ACCOUNTS.c.delete_at),
).where(
    _ACCOUNTS.c.id == bindparam("account_id", type_=Uuid),
    or_(_SID.is_(None), exists().where(table_of(LoginSession).c.sid == _SID)),
)


async def read_for_caller(db: AsyncSession, caller: Caller) -> AccountFacts:
    """Return the same account as `get_for_caller`, for reading only: with a statement that is built once. Raises the same errors."""
    parameters = {"account_id": _account_id(caller), "sid": caller.session_id}
    row = (await db.execute(_OF_CALLER, parameters)).one_or_none()
    if row is None:
        raise NotAuthenticated(ENDED)
    return AccountFacts(*row)


async def lock(db: AsyncSession, account_id: UUID) -> None:
    """Lock an account until the transaction ends. Transactions that also use its tokens, codes or requests lock the account first."""
    await db.execute(for_no_key_update(select(Account.id).where(Account.id == account_id)))


async def lock_for_caller(db: AsyncSession, caller: Caller, password_hash: str | None) -> Account:
    """Lock the account of an access token, and return it. `password_hash`: the hash that was verified; None for a guest.

    Raises NotAuthenticated if the session has ended meanwhile, WrongPassword if the password was changed meanwhile, AccountNeeded.
    """
    account = await get_for_caller(db, caller)
    await lock(db, account.id)
    # Read again after waiting for the lock: the owner may have ended the session or changed the password.
    db.expire(account)
    account = await get_for_caller(db, caller)
    if account.password_hash != password_hash:
        raise WrongPassword
    return account


async def upgrade_password_hash(db: AsyncSession, account: Account, password_hash: str) -> None:
    """Replace an outdated hash by a new hash of the same password, unless the password was changed meanwhile."""
    same_password = (Account.id == account.id, Account.password_hash == account.password_hash)
    await db.execute(update(Account).where(*same_password).values(password_hash=password_hash))
    account.password_hash = password_hash
