"""The client of one integration: a part for each noun of Paystack's API, around one connection."""

import httpx
from pydantic import SecretStr

from services.payments.paystack.authorizations import Authorizations
from services.payments.paystack.disputes import Disputes
from services.payments.paystack.events import Events
from services.payments.paystack.refunds import Refunds
from services.payments.paystack.settlements import Settlements
from services.payments.paystack.transactions import Transactions
from services.payments.paystack.wire import Wire
from services.payments.recovery.pace import Pace


class Paystack:
    """Every call ends within its timeout. What can wait asks `pace` for its turn first."""

    def __init__(
        self, url: str, key: SecretStr, transport: httpx.AsyncBaseTransport | None = None, pace: Pace | None = None
    ) -> None:
        self._wire = wire = Wire(url, key, transport, pace)
        self.pace = wire.pace
        self.transactions = Transactions(wire)
        self.authorizations = Authorizations(wire)
        self.refunds = Refunds(wire)
        self.disputes = Disputes(wire)
        self.events = Events(wire)
        self.settlements = Settlements(wire)

    async def close(self) -> None:
        await self._wire.close()
