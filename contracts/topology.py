"""The broker topology: which service publishes to which queue. Each service declares the exchange, and the
queues to which it publishes or from which it consumes; this is idempotent."""

from pydantic import BaseModel, ConfigDict

EXCHANGE = "shop.events"
"""Durable topic exchange for all events. The `type` of an event is its routing key."""


class Queue(BaseModel):
    """A durable quorum queue with one consuming service. Dead letters go to the queue `<name>.dead-letters`."""

    model_config = ConfigDict(frozen=True)

    name: str
    bindings: tuple[str, ...]

    @property
    def dead_letters(self) -> str:
        return f"{self.name}.dead-letters"

    @property
    def marker(self) -> str:
        """The name of the queue marker, an exchange without messages (see kit/messaging/queue_markers.py)."""
        return f"{self.name}.marker"


CATALOG_PAYMENTS = Queue(name="catalog.payments", bindings=("payment.*",))
"""payments publishes, catalog consumes."""

PAYMENTS_ORDERS = Queue(name="payments.orders", bindings=("order.*",))
"""catalog publishes, payments consumes."""
