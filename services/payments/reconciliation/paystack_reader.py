"""Reading from Paystack at length: at its pace, and what gives no answer is asked again. For reads only."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.worker.shutdown import Shutdown
from services.payments.paystack.client import Paystack
from services.payments.paystack.errors import NoAnswer, RateLimited
from services.payments.paystack.rate_limit import Bucket
from services.payments.reconciliation.report import Report

T = TypeVar("T")
TRIES = 5
log = structlog.get_logger("reconciliation")


class Interrupted(Exception):
    """The process was told to end first."""


@dataclass(frozen=True, slots=True)
class PaystackReader:
    """`report` is what is added to; `heard` is called after every answer."""

    sessions: async_sessionmaker[AsyncSession]
    paystack: Paystack
    shutdown: Shutdown
    report: Report
    heard: Callable[[Report], None]

    async def ask(self, bucket: Bucket, call: Callable[[], Awaitable[T]]) -> T:
        """What `call` answers, after five tries at most. Raises the last PaystackError, or Interrupted."""
        tries = 0
        while await self.paystack.rate_limit.acquire(bucket, self.shutdown):
            tries += 1
            try:
                answer = await call()
            except (RateLimited, NoAnswer) as error:
                if tries == TRIES:
                    raise
                log.warning("Paystack is asked again", error=type(error).__name__, reason=str(error)[:200])
            else:
                self.heard(self.report)
                return answer
        raise Interrupted
