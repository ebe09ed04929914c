from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from sandbox.clock import Clock
from sandbox.disputes.life import DisputeLife
from sandbox.door.faults import Faults
from sandbox.refunds.life import RefundLife
from sandbox.settings import Settings
from sandbox.store import Store
from sandbox.webhooks.courier import Courier
from sandbox.webhooks.postbox import Postbox


@dataclass(frozen=True, slots=True)
class Integration:
    """The one merchant account that this sandbox plays."""

    settings: Settings
    store: Store
    courier: Courier
    faults: Faults
    postbox: Postbox
    clock: Clock
    refunds: RefundLife
    disputes: DisputeLife

    def wake(self) -> None:
        """There may be something to send, and something to wait for."""
        self.courier.wake()
        self.clock.wake()


def integration(request: Request) -> Integration:
    found: Integration = request.app.state.integration
    return found


async def _current(request: Request) -> Integration:
    return integration(request)  # async: a plain function would be sent to a thread


Merchant = Annotated[Integration, Depends(_current)]
