"""Failed logins: after five in a row a user name has to wait, twice as long after each further one, at most a minute.

Counted by name, whether or not there is such an account, so that the pauses tell nothing; never a lock for good, which would hand
the keys of somebody's account to whoever wants to keep them out.
"""

import hashlib
import math

from sqlalchemy import SQLColumnExpression, case, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.elements import ColumnElement

from services.auth.errors import TooManyFailures
from services.auth.models import FailedLogin

FREE = 5
LONGEST_SECONDS = 60


def _key(name: str) -> bytes:
    return hashlib.sha256(name.encode("utf-8", "replace")).digest()


def _pause(failures: SQLColumnExpression[int]) -> ColumnElement[object]:
    """2 s after the fifth failure, then 4, 8, 16, 32, 60, 60 …: ten guesses in the first minute, then one a minute."""
    exponent = func.least(failures - FREE + 1, 6)
    seconds = case((failures < FREE, 0), else_=func.least(func.power(2, exponent), LONGEST_SECONDS))
    return func.make_interval(0, 0, 0, 0, 0, 0, seconds)


async def refuse_paused(session: AsyncSession, name: str) -> None:
    """Raises TooManyFailures while the name has to wait."""
    wait = func.extract("epoch", FailedLogin.retry_at - func.now())
    seconds = await session.scalar(
        select(wait).where(FailedLogin.name == _key(name), FailedLogin.failures >= FREE, wait > 0)
    )
    if seconds is not None:
        raise TooManyFailures(math.ceil(seconds))


async def admit(session: AsyncSession, name: str) -> None:
    """Let one guess through. Of many that come when a pause ends, the first takes the next pause and the others wait."""
    await session.execute(select(FailedLogin.name).where(FailedLogin.name == _key(name)).with_for_update())
    await refuse_paused(session, name)
    taken = update(FailedLogin).where(FailedLogin.name == _key(name), FailedLogin.failures >= FREE)
    await session.execute(taken.values(retry_at=func.now() + _pause(FailedLogin.failures)))


async def count(session: AsyncSession, name: str) -> None:
    """One more failure."""
    more = FailedLogin.failures + 1
    first = insert(FailedLogin).values(name=_key(name))
    await session.execute(
        first.on_conflict_do_update(
            index_elements=[FailedLogin.name],
            set_={"failures": more, "last_at": func.now(), "retry_at": func.now() + _pause(more)},
        )
    )


async def forget(session: AsyncSession, name: str) -> None:
    """A login that went well starts the count anew."""
    await session.execute(delete(FailedLogin).where(FailedLogin.name == _key(name)))
