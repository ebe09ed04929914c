"""The client of one integration: a part for each noun of Paystack's API, around one connection."""

import httpx
from pydantic import SecretStr

from services.payments.paystack.authorizations import Authorizations
from services.payments.paystack.disputes import Disputes
from services.payments.paystack.rate_limit import RateLimit
from services.payments.paystack.refunds import Refunds
from services.payments.paystack.settlements import Settlements
from services.payments.paystack.transactions import Transactions
from services.payments.paystack.transport import Transport
from services.payments.paystack.webhook_events import WebhookEvents


class Paystack:
    """Every call ends within its timeout. What can wait asks `pace` for its turn first."""

    def __init__(
        self, url: str, key: SecretStr, transport: httpx.AsyncBaseTransport | None = None, pace: RateLimit | None = None
    ) -> None:
        self._wire = wire = Transport(url, key, transport, pace)
        self.pace = wire.pace
        self.transactions = Transactions(wire)
        self.authorizations = Authorizations(wire)
        self.refunds = Refunds(wire)
        self.disputes = Disputes(wire)
        self.events = WebhookEvents(wire)
        self.settlements = Settlements(wire)

    async def close(self) -> None:
        await self._wire.close()
