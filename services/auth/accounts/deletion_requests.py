"""The owner asks for the deletion of an account. It is deleted after 14 days, unless its owner restores it before."""

from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.auth import Caller
from kit.db.after_commit import after_commit
from kit.db.locks import for_no_key_update
from services.auth.accounts import records
from services.auth.accounts.deletion import delete_account
from services.auth.accounts.mail_limits import may_notify
from services.auth.accounts.password_check import check_password
from services.auth.accounts.password_hashing import PasswordHasher
from services.auth.errors import AccountHasStaffRole, WrongPassword
from services.auth.mail.template_names import Template
from services.auth.mail.waiting import add_mail, mail_is_configured
from services.auth.models import CUSTOMER, Account
from services.auth.sessions.revocations import end_sessions_of_account
from services.auth.throttling.request_source import RequestSource

GRACE = timedelta(days=14)
log = structlog.get_logger("deletions")


async def request_deletion(
    db_sessions: async_sessionmaker[AsyncSession],
    hasher: PasswordHasher,
    source: RequestSource,
    caller: Caller,
    password: str | None,
) -> datetime:
    """Schedule the deletion of the caller's account, end all its sessions, and return the time. A repeated request changes no time and
    sends no mail.

    A guest is deleted at once.

    Raises AccountHasStaffRole, WrongPassword, AccountNeeded, NotAuthenticated, TooManyRequests, TooBusy.
    """
    async with db_sessions.begin() as db:
        account = await records.get_for_caller(db, caller)
    if account.role != CUSTOMER:
        raise AccountHasStaffRole
    if account.email is None:  # a guest cannot log in again to restore the account
        async with db_sessions.begin() as db:
            await records.lock_for_caller(db, caller, None)
            await delete_account(db, account.id)
        return datetime.now(UTC)
    if password is None:
        raise WrongPassword
    await check_password(db_sessions, hasher, source, account, password)
    async with db_sessions.begin() as db:
        locked = await records.lock_for_caller(db, caller, account.password_hash)
        return await _schedule(db, locked)


async def _schedule(db: AsyncSession, account: Account) -> datetime:
    """Schedule the deletion of an account and end its sessions. Its owner gets a mail, once. The caller has locked the account.

    Raises AccountHasStaffRole.
    """
    repeated = account.delete_at is not None
    scheduled = (
        update(Account)
        .where(Account.id == account.id, Account.role == CUSTOMER)
        .values(delete_at=func.coalesce(Account.delete_at, func.now() + GRACE))
    )
    delete_at: datetime | None = await db.scalar(scheduled.returning(Account.delete_at))
    if delete_at is None:
        raise AccountHasStaffRole
    await end_sessions_of_account(db, account.id)
    if mail_is_configured() and not repeated and await may_notify(db, account):
        date = {"date": delete_at.date().isoformat()}
        await add_mail(db, Template.ACCOUNT_DELETION, account.address, account_id=account.id, context=date)
    return delete_at


async def delete_due(db_sessions: async_sessionmaker[AsyncSession], limit: int) -> int:
    """Delete up to `limit` customers' accounts whose time has come. Return their number. Skip those that another worker is deleting.

    Each deletion has its own transaction: while it waits for the lock of one account, it holds no lock of another account.
    """
    of_customer = (Account.delete_at < func.now(), Account.role == CUSTOMER)
    due = select(Account.id).where(*of_customer).order_by(Account.delete_at).limit(1)
    for deleted in range(limit):
        async with db_sessions.begin() as db:
            account_id = await db.scalar(for_no_key_update(due, skip_locked=True))
            if account_id is None:
                return deleted
            await delete_account(db, account_id)
            after_commit(db, log.info, "account deleted", account_id=str(account_id))
    return limit
