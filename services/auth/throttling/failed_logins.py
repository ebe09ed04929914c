"""Slow down password guessing: after five failed logins in a row with a user name, further logins are refused during a pause.

The pause doubles with each further failure, up to a minute. Failures are counted for user names without an account too, so pauses do not
show which accounts exist. An account is never locked permanently, because an attacker could use that to lock out the owner.
"""

import hashlib
import math
from datetime import timedelta

from sqlalchemy import SQLColumnExpression, case, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.elements import ColumnElement

from services.auth.errors import TooManyFailedLogins
from services.auth.throttling.models import FailedLogin

FREE_ATTEMPTS = 5
LONGEST_PAUSE_SECONDS = 60
RETENTION = timedelta(days=1)
"""Failures of a user name are deleted this long after the last failure."""


def _digest(username: str) -> bytes:
    return hashlib.sha256(username.encode("utf-8", "replace")).digest()


def _pause(failures: SQLColumnExpression[int]) -> ColumnElement[object]:
    """Return the pause as an SQL interval: 2 s after the fifth failure, then 4, 8, 16, 32, 60, 60 ...

    That allows nine guesses in the first minute, then one a minute.
    """
    exponent = func.least(failures - FREE_ATTEMPTS + 1, 6)
    seconds = case((failures < FREE_ATTEMPTS, 0), else_=func.least(func.power(2, exponent), LONGEST_PAUSE_SECONDS))
    return func.make_interval(0, 0, 0, 0, 0, 0, seconds)


async def check_not_paused(session: AsyncSession, username: str) -> None:
    """Raise TooManyFailedLogins while logins with this user name are paused."""
    wait = func.extract("epoch", FailedLogin.next_attempt_at - func.now())
    seconds = await session.scalar(
        select(wait).where(
            FailedLogin.username_digest == _digest(username), FailedLogin.failures >= FREE_ATTEMPTS, wait > 0
        )
    )
    if seconds is not None:
        raise TooManyFailedLogins(math.ceil(seconds))


async def start_attempt(session: AsyncSession, username: str) -> None:
    """Start the next pause before the password is verified, if the user name has at least FREE_ATTEMPTS failures.

    Raises TooManyFailedLogins during a pause. So of several concurrent attempts after a pause, only the first one continues.
    """
    has_username = FailedLogin.username_digest == _digest(username)
    await session.execute(select(FailedLogin.username_digest).where(has_username).with_for_update())
    await check_not_paused(session, username)
    paused = update(FailedLogin).where(has_username, FailedLogin.failures >= FREE_ATTEMPTS)
    await session.execute(paused.values(next_attempt_at=func.now() + _pause(FailedLogin.failures)))


async def record_failure(session: AsyncSession, username: str) -> None:
    """Count a failed login and start the next pause."""
    failures = FailedLogin.failures + 1
    first = insert(FailedLogin).values(username_digest=_digest(username))
    await session.execute(
        first.on_conflict_do_update(
            index_elements=[FailedLogin.username_digest],
            set_={
                "failures": failures,
                "last_failure_at": func.now(),
                "next_attempt_at": func.now() + _pause(failures),
            },
        )
    )


async def reset(session: AsyncSession, username: str) -> None:
    """Delete the failures of a user name after a successful login."""
    await session.execute(delete(FailedLogin).where(FailedLogin.username_digest == _digest(username)))


async def delete_old(session: AsyncSession, limit: int) -> int:
    """Delete up to `limit` user names whose last failure is older than RETENTION. Return their number.

    User names that another worker is deleting are skipped.
    """
    old = select(FailedLogin.username_digest).where(FailedLogin.last_failure_at < func.now() - RETENTION).limit(limit)
    locked = old.with_for_update(skip_locked=True).cte("locked")
    deleted = await session.execute(
        delete(FailedLogin)
        .where(FailedLogin.username_digest.in_(select(locked)))
        .returning(FailedLogin.username_digest)
    )
    return len(deleted.all())
