"""Verify the password of an account whose owner is already logged in, before an act that a stolen access token must not allow."""

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.http.rate_limit import TooManyRequests
from services.auth.accounts.hash_queue import Requester
from services.auth.accounts.password_hashing import PasswordHasher
from services.auth.errors import WrongPassword
from services.auth.metrics import throttled_total
from services.auth.models import Account
from services.auth.throttling import failed_logins
from services.auth.throttling.request_source import RequestSource


async def check_password(
    db_sessions: async_sessionmaker[AsyncSession],
    hasher: PasswordHasher,
    source: RequestSource,
    account: Account,
    password: str,
) -> None:
    """Raise WrongPassword unless this is the account's password.

    Failures have the pauses of failed logins, but are counted for the logged-in account: failed logins of others do not keep the owner from
    changing the password, and the holder of a stolen access token cannot keep the owner from logging in. Also raises TooManyRequests during
    a pause, and TooBusy. No transaction may be open: hashing is slow.
    """
    key = failed_logins.key_of_account(account.id)
    async with hasher.slot(Requester.of_account(account.id, source.limit_address), source.disconnected):
        async with db_sessions.begin() as db:
            started_at = await failed_logins.start_attempt(db, key)
            seconds = 0.0 if started_at else await failed_logins.seconds_to_wait(db, key)
        if started_at is None:
            throttled_total.labels("account").inc()
            raise TooManyRequests(max(1.0, seconds))
        correct, _ = await hasher.verify(password, account.password_hash)
    async with db_sessions.begin() as db:
        if correct:
            await failed_logins.record_success(db, key, started_at)
        else:
            await failed_logins.record_failure(db, key)
    if not correct:
        raise WrongPassword
