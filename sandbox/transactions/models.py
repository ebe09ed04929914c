import json
from dataclasses import dataclass
from typing import Any, Self

from sandbox.enums import Channel, Domain, TransactionStatus


@dataclass(frozen=True, slots=True)
class Transaction:
    """A row, in the order of the table's columns. Money in subunits, times in milliseconds since 1970."""

    id: int
    reference: str
    access_code: str
    domain: Domain
    status: TransactionStatus
    email: str
    customer: int
    """Numeric id of the customer."""
    amount: int
    """Reported amount. A control call can set another amount than the requested one."""
    requested_amount: int
    currency: str
    fees: int | None
    metadata: str | None
    """JSON."""
    callback_url: str | None
    label: str | None
    ip_address: str | None
    message: str | None
    gateway_response: str
    created_at: int
    paid_at: int | None
    channel: Channel
    card: str
    """Card number."""
    timeline: str | None
    """JSON (see timeline.py)."""
    entry_point: str
    settlement: int | None
    """Id of the settlement that contains the transaction."""
    channels: str | None
    """JSON: the channels that initialize named; None: all."""
    expires_at: int | None
    """End of the payment session: an unpaid transaction can no longer be paid. None: no end."""

    @classmethod
    def from_row(cls, row: Any) -> Self:
        values = dict(zip(cls.__slots__, row, strict=True))
        return cls(
            **values
            | {
                "domain": Domain(values["domain"]),
                "status": TransactionStatus(values["status"]),
                "channel": Channel(values["channel"]),
            }
        )

    @property
    def paid(self) -> bool:
        """Whether the transaction was paid. Remains True after a refund."""
        return self.paid_at is not None

    def expired(self, at: int) -> bool:
        """Return whether the payment session is over. `at`: milliseconds since 1970."""
        return not self.paid and self.expires_at is not None and self.expires_at <= at

    @property
    def requested_channels(self) -> frozenset[str] | None:
        """The channels that initialize named; None: all."""
        return None if self.channels is None else frozenset(json.loads(self.channels))

    @property
    def cancel_action(self) -> Any:
        """`cancel_action` of the metadata, the URL for the cancel button. Not validated."""
        return self._metadata.get("cancel_action")

    def custom_filter(self, name: str) -> frozenset[str] | None:
        """Return the values that `custom_filters` of the metadata allows, such as card_brands; None: all."""
        filters = self._metadata.get("custom_filters")
        values = filters.get(name) if isinstance(filters, dict) else None
        return frozenset(each for each in values if isinstance(each, str)) if isinstance(values, list) else None

    @property
    def _metadata(self) -> dict[str, Any]:
        """Metadata that is an object; {} if it is not."""
        metadata = json.loads(self.metadata) if self.metadata else None
        return metadata if isinstance(metadata, dict) else {}


@dataclass(frozen=True, slots=True)
class NewTransaction:
    """Validated request of initialize or charge_authorization."""

    email: str
    amount: int
    currency: str
    reference: str | None
    metadata: str | None
    """JSON."""
    callback_url: str | None
    label: str | None
    channels: str | None = None
    """JSON."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which transactions to list; None matches all. `since` and `until` are inclusive, in milliseconds since 1970."""

    status: TransactionStatus | None = None
    customer: int | None = None
    amount: int | None = None
    channel: str | None = None
    settlement: int | None = None
    since: int | None = None
    until: int | None = None

    @property
    def sql_values(self) -> dict[str, str | int | None]:
        return {name: getattr(self, name) for name in Filter.__slots__}


@dataclass(frozen=True, slots=True)
class Page:
    transactions: list[Transaction]
    total: int
    """Number of all matching transactions."""
    volume: int
    """Sum of the amounts of all matching transactions."""


@dataclass(frozen=True, slots=True)
class CurrencyTotal:
    """Sums of the paid transactions of one currency, in subunits."""

    currency: str
    count: int
    volume: int
    not_paid_out: int
    """Sum of the amounts less fees of the transactions that are in no settlement."""
