"""Settings of our integration at Paystack: how long an unpaid checkout lives."""

import asyncio
import time

import structlog

from kit.log_throttling import log_failure
from services.payments.paystack.errors import NoAnswer, PaystackError
from services.payments.paystack.parsing import parse_integer
from services.payments.paystack.transport import Transport

FRESH_SECONDS = 5.0
"""A value is used again for this time after it was read, so that many payments that start together cause one call."""

READ_SECONDS = 2.0
"""The longest time that the start of a payment waits for the value."""

MAX_TIMEOUT_SECONDS = 365 * 86_400

log = structlog.get_logger("paystack")


class Integration:
    """The calls under /integration, except those about webhooks."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._lock = asyncio.Lock()
        self._checkout_timeout: int | None = None
        self._read_at = -FRESH_SECONDS

    async def fetch_checkout_timeout(self) -> int:
        """GET /integration/payment_session_timeout, here the checkout timeout: the seconds that an unpaid checkout lives; 0: no end."""
        path = "/integration/payment_session_timeout"
        data = await self._transport.call("session_timeout", "GET", path)
        seconds = parse_integer(data.get("payment_session_timeout"), maximum=MAX_TIMEOUT_SECONDS)
        if seconds is None:
            raise NoAnswer("the response has no payment_session_timeout")
        return seconds

    async def checkout_timeout(self) -> int | None:
        """Return the checkout timeout, at most a few seconds old, or the last known one if Paystack does not answer. None: never read."""
        try:
            async with asyncio.timeout(READ_SECONDS), self._lock:
                if time.monotonic() - self._read_at >= FRESH_SECONDS:
                    # Set before the call, so that payments that start soon after a failed call do not wait for another call.
                    self._read_at = time.monotonic()
                    self._checkout_timeout = await self.fetch_checkout_timeout()
        except (TimeoutError, PaystackError) as error:
            log_failure(log.warning, "checkout timeout not read", error)
        return self._checkout_timeout
