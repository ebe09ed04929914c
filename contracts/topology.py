"""The broker topology: exchanges and queues, and which service publishes and consumes.

A service declares the queue from which it consumes, and creates the marker of the queue to which it publishes. The permissions of its
broker user (deploy/rabbitmq/definitions.json) allow exactly this.
"""

from pydantic import BaseModel, ConfigDict

EXCHANGE = "shop.events"
"""Durable topic exchange for all events. The `type` of an event is its routing key."""


class Queue(BaseModel):
    """A durable quorum queue with one consuming service, whose name is the first part of `name`.

    Dead letters go through the service's dead-letter exchange to the queue `<name>.dead-letters`.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    bindings: tuple[str, ...]

    @property
    def dead_letters(self) -> str:
        return f"{self.name}.dead-letters"

    @property
    def dead_letter_exchange(self) -> str:
        """The direct exchange of the consuming service. The routing key is the name of the queue that gets the message."""
        return f"{self.name.partition('.')[0]}.dead-letters"

    @property
    def marker(self) -> str:
        """The name of the queue marker, an exchange without messages (see kit/messaging/queue_markers.py)."""
        return f"{self.name}.marker"


CATALOG_PAYMENTS = Queue(name="catalog.payments", bindings=("payment.*",))
"""payments publishes, catalog consumes."""

PAYMENTS_ORDERS = Queue(name="payments.orders", bindings=("order.*",))
"""catalog publishes, payments consumes."""
