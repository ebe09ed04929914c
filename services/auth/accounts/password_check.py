"""Verify the password of an account whose owner is already logged in, before an act that a stolen access token must not allow."""

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.http.rate_limit import TooManyRequests
from services.auth.accounts.password_hashing import PasswordHasher
from services.auth.errors import TooManyFailedLogins, WrongPassword
from services.auth.models import Account
from services.auth.throttling import failed_logins


async def check_password(
    sessions: async_sessionmaker[AsyncSession], hasher: PasswordHasher, account: Account, password: str
) -> None:
    """Raise WrongPassword unless this is the account's password. A failure counts like a failed login.

    Also raises TooManyRequests during a pause after failures, and TooBusy. No transaction may be open: hashing is slow.
    """
    try:
        async with hasher.slot():
            async with sessions.begin() as session:
                await failed_logins.start_attempt(session, account.email)
            correct, _ = await hasher.verify(password, account.password_hash)
    except TooManyFailedLogins as error:
        raise TooManyRequests(float(error.headers["Retry-After"])) from error
    async with sessions.begin() as session:
        if correct:
            await failed_logins.reset(session, account.email)
        else:
            await failed_logins.record_failure(session, account.email)
    if not correct:
        raise WrongPassword
