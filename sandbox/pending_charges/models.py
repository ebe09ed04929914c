from dataclasses import dataclass
from typing import Any, Self

from sandbox.controls import DEFAULT_DELIVERY, DeliveryOptions
from sandbox.enums import Channel, PendingChargeStatus, TransferAccount


@dataclass(frozen=True, slots=True)
class PendingCharge:
    """The latest pending charge of a transaction: a row, in the order of the table's columns. Times in milliseconds since 1970."""

    transaction_id: int
    channel: Channel
    provider: str | None
    phone: str | None
    status: PendingChargeStatus
    problem: str | None
    """Why the latest attempt of the payer failed."""
    opened_at: int
    expires_at: int
    account_closed: int
    """1: the account no longer takes money."""
    arriving_amount: int | None
    """Subunits that the payer sent and that have not arrived."""
    deliveries: int | None
    """`deliveries` and `delay_ms` of the webhook that the arrival causes (see DeliveryOptions)."""
    delay_ms: int | None
    next_step_at: int | None
    """When the money arrives, else when the charge expires; None: the charge is finished."""

    @classmethod
    def from_row(cls, row: Any) -> Self:
        values = dict(zip(cls.__slots__, row, strict=True))
        return cls(**values | {"channel": Channel(values["channel"]), "status": PendingChargeStatus(values["status"])})

    @property
    def active(self) -> bool:
        """Whether the payer can still pay with this charge."""
        return self.next_step_at is not None

    @property
    def delivery(self) -> DeliveryOptions:
        return DeliveryOptions(self.deliveries, self.delay_ms)


@dataclass(frozen=True, slots=True)
class ChannelChoice:
    """What the payer chose on the checkout page, or what POST /charge asked for."""

    channel: Channel
    provider: str | None = None
    phone: str | None = None
    lifetime_ms: int | None = None
    """None: the usual lifetime for the channel."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """What the payer's bank sends."""

    amount: int | None = None
    """Subunits; None: the requested amount."""
    after_ms: int = 0
    """How long the bank takes."""
    account: TransferAccount = TransferAccount.OPEN
    delivery: DeliveryOptions = DEFAULT_DELIVERY
