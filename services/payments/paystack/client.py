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
        self,
        url: str,
        key: SecretStr,
        transport: httpx.AsyncBaseTransport | None = None,
        rate_limit: RateLimit | None = None,
    ) -> None:
        self._connection = connection = Transport(url, key, transport, rate_limit)
        self.rate_limit = connection.rate_limit
        self.transactions = Transactions(connection)
        self.authorizations = Authorizations(connection)
        self.refunds = Refunds(connection)
        self.disputes = Disputes(connection)
        self.events = WebhookEvents(connection)
        self.settlements = Settlements(connection)

    async def close(self) -> None:
        await self._connection.close()
