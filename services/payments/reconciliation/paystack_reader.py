"""Read from Paystack within the rate limit, and retry a read that fails. Only for reads: a write must not be repeated."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.log_throttling import log_failure
from kit.worker.shutdown import Shutdown
from services.payments.paystack.client import Paystack
from services.payments.paystack.errors import NoAnswer, RateLimited
from services.payments.paystack.rate_limit import Bucket
from services.payments.reconciliation.report import Report

T = TypeVar("T")
ATTEMPTS = 5
log = structlog.get_logger("reconciliation")


class Interrupted(Exception):
    """The process was asked to stop before the reconciliation was complete."""


@dataclass(frozen=True, slots=True)
class PaystackReader:
    """The objects that all comparisons share. `on_response` is called after every response, to show progress."""

    sessions: async_sessionmaker[AsyncSession]
    paystack: Paystack
    shutdown: Shutdown
    report: Report
    on_response: Callable[[Report], None]

    async def read(self, bucket: Bucket, call: Callable[[], Awaitable[T]]) -> T:
        """Return the result of `call`. Retry if Paystack does not answer or the rate limit is used up, at most four times.

        Raises the PaystackError of the last attempt, and Interrupted if the process is asked to stop.
        """
        attempts = 0
        while await self.paystack.rate_limit.acquire(bucket, self.shutdown):
            attempts += 1
            try:
                result = await call()
            except (RateLimited, NoAnswer) as error:
                if attempts == ATTEMPTS:
                    raise
                log_failure(log.warning, "Paystack read failed and will be retried", error)
            else:
                self.on_response(self.report)
                return result
        raise Interrupted
