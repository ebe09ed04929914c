"""Who talks to whom over the broker: the one map of it. Each side declares what it needs, idempotently."""

from pydantic import BaseModel, ConfigDict

EXCHANGE = "shop.events"
"""Durable topic exchange; an event's `type` is its routing key."""


class Queue(BaseModel):
    """A durable quorum queue of one consumer; what it cannot read goes to `<name>.dead-letters`."""

    model_config = ConfigDict(frozen=True)

    name: str
    bindings: tuple[str, ...]

    @property
    def dead_letters(self) -> str:
        return f"{self.name}.dead-letters"

    @property
    def marker(self) -> str:
        """The exchange by which whoever publishes knows the queue again; no message goes through it."""
        return f"{self.name}.marker"


CATALOG_PAYMENTS = Queue(name="catalog.payments", bindings=("payment.*",))
"""payments publishes, catalog consumes."""

PAYMENTS_ORDERS = Queue(name="payments.orders", bindings=("order.*",))
"""catalog publishes, payments consumes."""
