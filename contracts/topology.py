"""The broker topology: which service publishes to which queue. Each service declares what it needs, idempotently."""

from pydantic import BaseModel, ConfigDict

EXCHANGE = "shop.events"
"""Durable topic exchange for all events. The `type` of an event is its routing key."""


class Queue(BaseModel):
    """A durable quorum queue with one consuming service. Unreadable messages go to `<name>.dead-letters`."""

    model_config = ConfigDict(frozen=True)

    name: str
    bindings: tuple[str, ...]

    @property
    def dead_letters(self) -> str:
        return f"{self.name}.dead-letters"

    @property
    def marker(self) -> str:
        """The exchange by which the publisher recognizes the queue. No message goes through it."""
        return f"{self.name}.marker"


CATALOG_PAYMENTS = Queue(name="catalog.payments", bindings=("payment.*",))
"""payments publishes, catalog consumes."""

PAYMENTS_ORDERS = Queue(name="payments.orders", bindings=("order.*",))
"""catalog publishes, payments consumes."""
