"""The client of Paystack's API: one attribute for each resource. All resources share one HTTP client."""

import httpx
from pydantic import SecretStr

from services.payments.paystack.authorizations import Authorizations
from services.payments.paystack.disputes import Disputes
from services.payments.paystack.integration import Integration
from services.payments.paystack.rate_limit import RateLimit
from services.payments.paystack.refunds import Refunds
from services.payments.paystack.settlements import Settlements
from services.payments.paystack.transactions import Transactions
from services.payments.paystack.transport import Transport
from services.payments.paystack.webhook_events import WebhookEvents


class Paystack:
    """The client of Paystack's API. Every call ends within its timeout, and raises PaystackError if it fails.

    Background jobs call `rate_limit.acquire` before each call.
    """

    def __init__(
        self,
        url: str,
        key: SecretStr,
        transport: httpx.AsyncBaseTransport | None = None,
        rate_limit: RateLimit | None = None,
    ) -> None:
        self._transport = Transport(url, key, transport, rate_limit)
        self.rate_limit = self._transport.rate_limit
        self.transactions = Transactions(self._transport)
        self.authorizations = Authorizations(self._transport)
        self.refunds = Refunds(self._transport)
        self.disputes = Disputes(self._transport)
        self.webhook_events = WebhookEvents(self._transport)
        self.settlements = Settlements(self._transport)
        self.integration = Integration(self._transport)

    async def close(self) -> None:
        await self._transport.close()
