"""Guests: accounts without an e-mail address and a password, for customers who buy without registering."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, exists, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from kit.auth import Caller
from kit.errors import NotAuthenticated
from services.auth.accounts import events
from services.auth.accounts.records import is_reserved
from services.auth.errors import EmailTaken, GuestNotFound
from services.auth.models import Account
from services.auth.sessions import refresh_tokens
from services.auth.sessions.models import LoginSession
from services.auth.sessions.revocations import end_sessions_of_account

LIFETIME: timedelta = refresh_tokens.GUEST_IDLE_LIFETIME
"""A session of a guest ends this long after its last use. Guests without a session are deleted when they are older than this."""


async def create(db: AsyncSession) -> Account:
    """Create a guest, and return it with its role."""
    account_id = (await db.execute(insert(Account).values(email=None).returning(Account.id))).scalar_one()
    query = select(Account).where(Account.id == account_id).options(joinedload(Account.role_row))
    return (await db.execute(query)).scalar_one()


async def become_account(
    db: AsyncSession, guest: Caller, *, email: str, name: str | None, password_hash: str
) -> Account:
    """Give a guest an e-mail address and a password. Id, orders and sessions stay, and account.changed is published.

    Raises EmailTaken, and NotAuthenticated if the guest's session has ended or the guest has become an account already.
    """
    in_session = exists().where(LoginSession.sid == guest.session_id, LoginSession.account_id == Account.id)
    changed = (
        update(Account)
        .where(Account.id == UUID(guest.id), Account.email.is_(None), in_session)
        .values(email=email, name=name, password_hash=password_hash)
        .returning(Account)
        .execution_options(synchronize_session=False)
    )
    try:
        async with db.begin_nested():
            account: Account | None = await db.scalar(changed)
    except IntegrityError as error:
        raise EmailTaken from error
    if await is_reserved(db, email):
        raise EmailTaken
    if account is None:
        raise NotAuthenticated("The session of this guest has ended, or the guest has an account already. Log in.")
    await refresh_tokens.extend_sessions_of_guest(db, account.id)
    await events.publish_change(db, account.id)
    return account


async def merge(db: AsyncSession, refresh_token: str, account_id: UUID) -> None:
    """Merge a guest into an account: the guest ends, and account.merged gives its orders, payments and cards to the account.

    The token proves that the caller is the guest. Raises GuestNotFound if it is unknown, used or expired, or belongs to an account.
    """
    found = await refresh_tokens.find_account(db, refresh_token)
    guest = select(Account.id).where(Account.id == found, Account.email.is_(None)).with_for_update()
    guest_id = None if found is None else await db.scalar(guest)
    if guest_id is None:
        raise GuestNotFound
    await end_sessions_of_account(db, guest_id)
    await db.execute(delete(Account).where(Account.id == guest_id))
    await events.end(db, guest_id, merged_into=account_id)


async def prune(db: AsyncSession, limit: int) -> int:
    """Delete up to `limit` guests without a session who are older than LIFETIME. Return their number.

    Their orders and payments stay. Guests that another worker is deleting are skipped.
    """
    in_session = exists().where(LoginSession.account_id == Account.id, LoginSession.expires_at > func.now())
    old = (
        select(Account.id)
        .where(Account.email.is_(None), Account.created_at < func.now() - LIFETIME, ~in_session)
        .order_by(Account.created_at)
        .limit(limit)
    )
    locked = old.with_for_update(skip_locked=True).cte("locked")
    deleted = await db.execute(delete(Account).where(Account.id.in_(select(locked))).returning(Account.id))
    return len(deleted.all())
