"""Slow down password guessing: after five failed logins in a row, further ones are refused during a pause. At most ten are tried a minute.

The pause doubles with each further failure, up to a minute. Failures are counted for a user name on all unknown devices together, and for
each known device on its own, so guessing does not keep the owner out on a known device. They are counted for user names without an account
too, so pauses do not show which accounts exist.

If the shop sends mail, no password is tried any more after MAX_FAILURES failures in a row: the owner then logs in with a mail code, or with
the password on a known device, or resets the password. Each of these ends the refusals. If the shop sends no mail, there are only pauses,
because otherwise an attacker could lock the owner out.

An attempt is counted before the password is verified, in a row that its transaction locks. So concurrent attempts cannot exceed the limits.
If the attempt succeeds, it is removed.
"""

import hashlib
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ARRAY, DateTime, SQLColumnExpression, case, cast, delete, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.elements import ColumnElement

from services.auth.throttling.models import FailedLogin

FREE_ATTEMPTS = 5
LONGEST_PAUSE_SECONDS = 60
ATTEMPTS_PER_MINUTE = 10
"""The limit for attempts that have failed or are still running. Unlike the pauses, it also applies to concurrent attempts, and in the
minute after a successful login."""

MAX_FAILURES = 100
"""The number of failures in a row after which no password is tried. NIST SP 800-63B-4 section 3.2.2 allows no more."""

MINUTE = timedelta(minutes=1)
RETENTION = timedelta(days=1)
"""How long failures are remembered after the last one."""

RETENTION_OF_MAX_FAILURES = timedelta(days=90)
"""How long the failures are remembered after MAX_FAILURES: as long as a device is known after its last login."""

RETENTION_WITHOUT_PAUSE = timedelta(minutes=15)
"""How long fewer than FREE_ATTEMPTS failures are remembered. Four guesses in 15 minutes cause no pause: that is slower than the
one a minute allowed by the pauses."""

_TIME = DateTime(timezone=True)
_NOW = func.clock_timestamp(type_=_TIME)
"""Not now(), which is the start of the transaction: the statement may have waited for a lock since then."""

_TIMES = ARRAY(_TIME)


def key_of_name(username: str) -> bytes:
    """Return the key of a user name, on all unknown devices together."""
    return hashlib.sha256(b"name " + username.encode("utf-8", "replace")).digest()


def key_of_device(token_digest: bytes) -> bytes:
    """Return the key of a known device."""
    return hashlib.sha256(b"device " + token_digest).digest()


def key_of_account(account_id: UUID) -> bytes:
    """Return the key of an account whose owner is logged in and enters the password again."""
    return hashlib.sha256(b"account " + account_id.bytes).digest()


def _pause(failures: SQLColumnExpression[int]) -> ColumnElement[object]:
    """Return the pause as an SQL interval: 2 s after the fifth failure, then 4, 8, 16, 32, 60, 60 ...

    That allows nine guesses in the first minute, then one a minute.
    """
    exponent = func.least(failures - FREE_ATTEMPTS + 1, 6)
    seconds = case((failures < FREE_ATTEMPTS, 0), else_=func.least(func.power(2, exponent), LONGEST_PAUSE_SECONDS))
    return func.make_interval(0, 0, 0, 0, 0, 0, seconds)


def _times_of_last_minute() -> ColumnElement[list[datetime]]:
    """Return the array of the attempts of the last minute, the oldest first."""
    began_at = func.unnest(FailedLogin.attempt_times).column_valued("began_at")
    recent = select(began_at).where(began_at > _NOW - MINUTE).order_by(began_at).correlate(FailedLogin)
    return func.array(recent.scalar_subquery(), type_=_TIMES)


def _next_attempt_at() -> ColumnElement[datetime]:
    """Return when the next attempt is allowed: after the pause, and when the last minute has fewer than ATTEMPTS_PER_MINUTE attempts."""
    times = _times_of_last_minute()
    oldest: ColumnElement[datetime] = times[1]
    full = func.cardinality(times) >= ATTEMPTS_PER_MINUTE
    return func.greatest(FailedLogin.next_attempt_at, case((full, oldest + MINUTE)))


async def seconds_to_wait(db: AsyncSession, key: bytes) -> float:
    """Return the seconds until an attempt is allowed; 0 if it is allowed now."""
    wait = func.extract("epoch", _next_attempt_at() - _NOW)
    return max(0.0, float(await db.scalar(select(wait).where(FailedLogin.key == key)) or 0))


async def has_max_failures(db: AsyncSession, key: bytes) -> bool:
    """Return whether there were MAX_FAILURES in a row."""
    at_max_failures = (FailedLogin.key == key, FailedLogin.failures >= MAX_FAILURES)
    return await db.scalar(select(FailedLogin.failures).where(*at_max_failures)) is not None


async def start_attempt(db: AsyncSession, key: bytes, *, refuse_after_max_failures: bool = False) -> datetime | None:
    """Count an attempt and return the time by which `record_success` finds it. Return None if it is not allowed now.

    `refuse_after_max_failures`: it is not allowed after MAX_FAILURES in a row either.

    After FREE_ATTEMPTS failures, it also starts the next pause. So of several concurrent attempts after a pause, only the first one
    continues.
    """
    allowed = _next_attempt_at() <= _NOW
    if refuse_after_max_failures:
        allowed &= FailedLogin.failures < MAX_FAILURES
    first = insert(FailedLogin).values(
        key=key, attempt_times=func.array_append(cast([], _TIMES), _NOW), forget_at=_NOW + RETENTION_WITHOUT_PAUSE
    )
    started = await db.execute(
        first.on_conflict_do_update(
            index_elements=[FailedLogin.key],
            set_={
                "attempt_times": func.array_append(_times_of_last_minute(), _NOW),
                "next_attempt_at": func.greatest(FailedLogin.next_attempt_at, _NOW + _pause(FailedLogin.failures)),
                "forget_at": func.greatest(FailedLogin.forget_at, _NOW + RETENTION_WITHOUT_PAUSE),
            },
            where=allowed,
        ).returning(FailedLogin.attempt_times)
    )
    times = started.scalar_one_or_none()
    return None if times is None else times[-1]


async def record_failure(db: AsyncSession, key: bytes) -> None:
    """Count the failure of an attempt that was started, and start the next pause."""
    failures = FailedLogin.failures + 1
    retention = case(
        (failures < FREE_ATTEMPTS, literal(RETENTION_WITHOUT_PAUSE)),
        (failures < MAX_FAILURES, literal(RETENTION)),
        else_=literal(RETENTION_OF_MAX_FAILURES),
    )
    await db.execute(
        update(FailedLogin)
        .where(FailedLogin.key == key)
        .values(failures=failures, next_attempt_at=_NOW + _pause(failures), forget_at=_NOW + retention)
    )


async def record_success(db: AsyncSession, key: bytes, started_at: datetime) -> None:
    """Remove an attempt that succeeded, and reset the number of failures.

    The failed attempts of the last minute still count for ATTEMPTS_PER_MINUTE: an owner who logs in gives an attacker no further attempts.
    """
    same_key = FailedLogin.key == key
    only_attempt = FailedLogin.attempt_times == cast([started_at], _TIMES)
    deleted = await db.execute(delete(FailedLogin).where(same_key, only_attempt).returning(FailedLogin.key))
    if deleted.first() is None:
        others = func.array_remove(FailedLogin.attempt_times, literal(started_at, _TIME))
        await db.execute(
            update(FailedLogin).where(same_key).values(failures=0, attempt_times=others, next_attempt_at=_NOW)
        )


async def reset_failures(db: AsyncSession, key: bytes) -> None:
    """Reset the number of failures. The failed attempts of the last minute still count for ATTEMPTS_PER_MINUTE."""
    await db.execute(update(FailedLogin).where(FailedLogin.key == key).values(failures=0, next_attempt_at=_NOW))


async def reset_max_failures(db: AsyncSession, key: bytes) -> None:
    """Reset the number of failures if there were MAX_FAILURES in a row. Fewer stay counted, with their pauses."""
    at_max_failures = (FailedLogin.key == key, FailedLogin.failures >= MAX_FAILURES)
    await db.execute(update(FailedLogin).where(*at_max_failures).values(failures=0, next_attempt_at=_NOW))


async def forget(db: AsyncSession, key: bytes) -> None:
    """Delete the failures of a key."""
    await db.execute(delete(FailedLogin).where(FailedLogin.key == key))


async def delete_old(db: AsyncSession, limit: int) -> int:
    """Delete up to `limit` rows that may be forgotten. Return their number. Skip those that another worker is deleting."""
    old = select(FailedLogin.key).where(FailedLogin.forget_at < func.now()).limit(limit)
    locked = old.with_for_update(skip_locked=True).cte("locked")
    deleted = await db.execute(
        delete(FailedLogin).where(FailedLogin.key.in_(select(locked))).returning(FailedLogin.key)
    )
    return len(deleted.all())
