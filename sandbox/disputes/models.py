import json
from dataclasses import dataclass
from typing import Any, Self

from sandbox.enums import DisputeCategory, DisputeResolution, DisputeStatus, Domain


@dataclass(frozen=True, slots=True)
class Dispute:
    """A row, in the order of the table's columns. Money in subunits, times in milliseconds since 1970."""

    id: int
    transaction_id: int
    domain: Domain
    status: DisputeStatus
    resolution: DisputeResolution | None
    refund_amount: int
    currency: str
    category: DisputeCategory
    payer_message: str
    merchant_message: str | None
    attachments: str | None
    """Name of an uploaded file."""
    evidence: str | None
    """JSON."""
    created_at: int
    updated_at: int
    due_at: int
    resolved_at: int | None
    next_step_at: int | None
    """Time of the next reminder or of the automatic resolution."""

    @classmethod
    def from_row(cls, row: Any) -> Self:
        values = dict(zip(cls.__slots__, row, strict=True))
        resolution = values["resolution"]
        return cls(
            **values
            | {
                "domain": Domain(values["domain"]),
                "status": DisputeStatus(values["status"]),
                "resolution": None if resolution is None else DisputeResolution(resolution),
                "category": DisputeCategory(values["category"]),
            }
        )

    @property
    def evidence_fields(self) -> dict[str, Any]:
        fields: dict[str, Any] = json.loads(self.evidence) if self.evidence else {}
        return fields


@dataclass(frozen=True, slots=True)
class Filter:
    """Which disputes to list; None matches all. `since` and `until` are inclusive, in milliseconds since 1970."""

    transaction_id: int | None = None
    status: DisputeStatus | None = None
    since: int | None = None
    until: int | None = None

    @property
    def sql_values(self) -> dict[str, str | int | None]:
        return {name: getattr(self, name) for name in Filter.__slots__}
