from dataclasses import dataclass
from typing import Any, Self

from sandbox.enums import Domain, RefundStatus


@dataclass(frozen=True, slots=True)
class Refund:
    """A row, in the order of the table's columns. Money in subunits, times in milliseconds since 1970."""

    id: int
    transaction_id: int
    reference: str
    """Reference of the transaction."""
    email: str
    domain: Domain
    amount: int
    currency: str
    status: RefundStatus
    final_status: RefundStatus
    """Status after the last timed step."""
    customer_note: str
    merchant_note: str
    dispute: int | None
    """Id of the dispute that caused the refund."""
    settlement: int | None
    """Id of the settlement from which the refund was deducted."""
    created_at: int
    updated_at: int
    refunded_at: int | None
    next_step_at: int | None
    """Time of the next timed step; None: there is none."""

    @classmethod
    def from_row(cls, row: Any) -> Self:
        values = dict(zip(cls.__slots__, row, strict=True))
        return cls(
            **values
            | {
                "domain": Domain(values["domain"]),
                "status": RefundStatus(values["status"]),
                "final_status": RefundStatus(values["final_status"]),
            }
        )

    @property
    def finished(self) -> bool:
        return self.status in (RefundStatus.PROCESSED, RefundStatus.FAILED)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which refunds to list; None matches all. `since` and `until` are inclusive, in milliseconds since 1970."""

    transaction_id: int | None = None
    currency: str | None = None
    since: int | None = None
    until: int | None = None

    @property
    def sql_values(self) -> dict[str, str | int | None]:
        return {name: getattr(self, name) for name in Filter.__slots__}


@dataclass(frozen=True, slots=True)
class Page:
    refunds: list[Refund]
    total: int
    """Number of all matching refunds."""
    failed: int
    """Number of matching refunds that failed."""
