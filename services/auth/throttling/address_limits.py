"""The limits of each limit address that are not about logins: registrations, new guests, and requests for a mail to any address."""

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from kit.http.rate_limit import TooManyRequests
from services.auth.metrics import throttled_total
from services.auth.throttling import address_buckets
from services.auth.throttling.address_buckets import BucketRule
from services.auth.throttling.remembered_refusals import RememberedRefusals

log = structlog.get_logger("limits")


def check(refusals: RememberedRefusals, rule: BucketRule, limit_address: str) -> None:
    """Raise TooManyRequests if this process remembers that requests of this limit address are refused at the moment."""
    seconds = refusals.seconds_left(rule.key(limit_address))
    if seconds > 0:
        raise _refusal(rule, limit_address, seconds)


async def count(db: AsyncSession, refusals: RememberedRefusals, rule: BucketRule, limit_address: str) -> None:
    """Count a request, whatever its result. Raises TooManyRequests. The bucket is locked until the end of the transaction."""
    check(refusals, rule, limit_address)
    if await address_buckets.take(db, rule, limit_address):
        return
    seconds = await address_buckets.seconds_to_wait(db, rule, limit_address)
    if seconds > 0:
        refusals.add(rule.key(limit_address), seconds)
    raise _refusal(rule, limit_address, max(1.0, seconds))


def _refusal(rule: BucketRule, limit_address: str, seconds: float) -> TooManyRequests:
    throttled_total.labels(rule.metric_label).inc()
    log.info("request throttled", limit=rule.metric_label, limit_address=limit_address)
    return TooManyRequests(seconds)
