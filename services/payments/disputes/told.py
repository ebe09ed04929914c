"""A dispute as Paystack tells it, in a webhook or in an answer; read leniently, used strictly.

Of the official samples some say `created_at` and others `createdAt`; refund_amount, currency and dueAt are null in old ones, and the
transaction is an object, or only its number.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.payments.charges import Unreadable, read_subunits, read_text, read_time
from services.payments.models import DISPUTE_STATUSES

MAX_ID = 2**63 - 1
OVER = frozenset({"resolved", "archived"})
ACCEPTED = frozenset({"merchant-accepted", "auto-accepted"})
REVERSED = frozenset({"reversed", "reversal-pending"})


@dataclass(frozen=True, slots=True)
class ToldDispute:
    """`amount`: subunits that the payer wants back, or what was agreed to; None where it does not say, or says nothing: whoever declines
    answers with a refund of 0. `of`: all that was paid.
    """

    id: int
    status: str
    reference: str | None = None
    transaction_status: str | None = None
    domain: str | None = None
    amount: int | None = None
    of: int | None = None
    currency: str | None = None
    category: str | None = None
    resolution: str | None = None
    opened_at: datetime | None = None
    due_at: datetime | None = None
    resolved_at: datetime | None = None
    changed_at: datetime | None = None

    @property
    def over(self) -> bool:
        return self.status in OVER

    @property
    def lost(self) -> bool:
        """Whether money goes back. Where the resolution is a word that we do not know, the transaction tells."""
        if self.resolution in ACCEPTED:
            return True
        return self.resolution != "declined" and self.transaction_status in REVERSED


def read_dispute(data: Any) -> ToldDispute:
    """Raises Unreadable without an id or a status."""
    if not isinstance(data, dict):
        raise Unreadable("data is not an object")
    dispute_id, status = read_subunits(data.get("id"), most=MAX_ID), read_text(data.get("status"), 50)
    if dispute_id is None or status is None:
        raise Unreadable("a dispute without id or status")
    transaction = data.get("transaction")
    about = transaction if isinstance(transaction, dict) else {}
    reference = about.get("reference") or data.get("merchant_transaction_reference")
    status = status.lower()
    return ToldDispute(
        id=dispute_id,
        # A word that we do not know is a dispute that is not over.
        status=status if status in DISPUTE_STATUSES else "pending",
        reference=read_text(reference, 200),
        transaction_status=_lower(about.get("status")),
        domain=_lower(data.get("domain") or about.get("domain")),
        amount=read_subunits(data.get("refund_amount")) or None,
        of=read_subunits(about.get("amount")),
        currency=read_text(data.get("currency") or about.get("currency"), 10),
        category=read_text(data.get("category"), 50),
        resolution=_lower(data.get("resolution")),
        opened_at=read_time(data.get("created_at") or data.get("createdAt")),
        due_at=read_time(data.get("dueAt") or data.get("due_at")),
        resolved_at=read_time(data.get("resolvedAt") or data.get("resolved_at")),
        changed_at=read_time(data.get("updated_at") or data.get("updatedAt")),
    )


def _lower(value: Any) -> str | None:
    found = read_text(value, 50)
    return found.lower() if found else None
