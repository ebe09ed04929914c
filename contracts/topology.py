"""The broker topology: exchanges and queues, and which service publishes and consumes.

A service declares the queues from which it consumes, and creates the markers of the queues to which it publishes. The permissions of its
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

CATALOG_ACCOUNTS = Queue(name="catalog.accounts", bindings=("account.*",))
"""auth publishes, catalog consumes."""

PAYMENTS_ACCOUNTS = Queue(name="payments.accounts", bindings=("account.deleted", "account.merged"))
"""auth publishes, payments consumes. A changed address is not consumed: a payment keeps the address that Paystack has for it."""

CONSUMED = {
    "catalog": (CATALOG_PAYMENTS, CATALOG_ACCOUNTS),
    "payments": (PAYMENTS_ORDERS, PAYMENTS_ACCOUNTS),
}
"""The queues from which each service consumes."""

PUBLISHED_TO = {
    "auth": (CATALOG_ACCOUNTS, PAYMENTS_ACCOUNTS),
    "catalog": (PAYMENTS_ORDERS,),
    "payments": (CATALOG_PAYMENTS,),
}
"""The queues to which the events of each service go."""
