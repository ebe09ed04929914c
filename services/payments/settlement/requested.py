"""Limit the verifications at Paystack that clients of the API and the return page cause: background jobs and the checkout need
calls too.
"""

import time
from collections.abc import Callable

import structlog

from kit.http.rate_limit import TokenBuckets, TooManyRequests
from kit.log_throttling import log_throttled
from services.payments.paystack.rate_limit import RateLimit

RETURN_PAGE_SHARE = 0.15
"""The share of the rate of background calls that the return page, which is public, may use for verifications. Background calls have 75 %
of Paystack's limit, so it is 337 verifications a minute in live mode with the limit of 3,000, and 11 in test mode with that of 100."""

CLIENT_SHARE = 0.25
"""The same for POST /payments/{reference}/verify: with these limits, 562 verifications a minute in live mode, and 18 in test mode."""

RETURN_PAGES_PER_ADDRESS = 60
"""Verifications a minute that the return page may cause for one limit address: an IPv4 address or IPv6 /64 network, which the payers of a
mobile network can share."""

log = structlog.get_logger("verification")


class RequestedVerifications:
    """Counts the verifications that clients of the API and the return page cause.

    A verification that is not allowed is skipped; the webhook or the sweeper settles its payment.

    Each process counts for itself; the shares are divided by the number of `processes` of this service on this machine.
    """

    def __init__(self, processes: int = 1, clock: Callable[[], float] = time.monotonic) -> None:
        self._processes = processes
        self._addresses = TokenBuckets(RETURN_PAGES_PER_ADDRESS, clock=clock)
        self._return_page, self._clients = (TokenBuckets(1, clock=clock) for _ in range(2))

    def return_page_may_verify(self, rate_limit: RateLimit, address: str | None) -> bool:
        """Count a verification for the return page, and return whether it is allowed. `address`: the payer's limit address, or None if
        it is not known.
        """
        try:
            if address is not None:
                self._addresses.take(address)
        except TooManyRequests:
            return False
        return self._take(self._return_page, RETURN_PAGE_SHARE, rate_limit, "return page")

    def client_may_verify(self, rate_limit: RateLimit) -> bool:
        """Count a verification that a client requests, and return whether it is allowed."""
        return self._take(self._clients, CLIENT_SHARE, rate_limit, "client")

    def _take(self, bucket: TokenBuckets, share: float, rate_limit: RateLimit, requester: str) -> bool:
        # The rate changes when Paystack reports another limit.
        bucket.per_minute = max(1, int(rate_limit.per_minute("verify") * share / self._processes))
        try:
            bucket.take("")
        except TooManyRequests:
            log_throttled(
                log.warning,
                "verification skipped: too many were requested",
                about=requester,
                requester=requester,
                per_minute=bucket.per_minute,
            )
            return False
        return True
