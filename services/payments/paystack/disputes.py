"""Disputes at Paystack: fetch, list, respond; and the parser of a dispute.

The official samples differ: `created_at` or `createdAt`; refund_amount, currency and dueAt are null in old ones; the transaction is an
object or only its id.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from services.payments.models import DISPUTE_STATUSES
from services.payments.paystack.errors import NoAnswer
from services.payments.paystack.parsing import Unreadable, parse_integer, parse_text, parse_time
from services.payments.paystack.transport import Transport

MAX_ID = 2**63 - 1
OVER = frozenset({"resolved", "archived"})
ACCEPTED = frozenset({"merchant-accepted", "auto-accepted"})
REVERSED = frozenset({"reversed", "reversal-pending"})


@dataclass(frozen=True, slots=True)
class PaystackDispute:
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


def parse_dispute(data: Any) -> PaystackDispute:
    """Raises Unreadable without an id or a status."""
    if not isinstance(data, dict):
        raise Unreadable("data is not an object")
    dispute_id, status = parse_integer(data.get("id"), most=MAX_ID), parse_text(data.get("status"), 50)
    if dispute_id is None or status is None:
        raise Unreadable("a dispute without id or status")
    transaction = data.get("transaction")
    about = transaction if isinstance(transaction, dict) else {}
    reference = about.get("reference") or data.get("merchant_transaction_reference")
    status = status.lower()
    return PaystackDispute(
        id=dispute_id,
        # A word that we do not know is a dispute that is not over.
        status=status if status in DISPUTE_STATUSES else "pending",
        reference=parse_text(reference, 200),
        transaction_status=_lower(about.get("status")),
        domain=_lower(data.get("domain") or about.get("domain")),
        amount=parse_integer(data.get("refund_amount")) or None,
        of=parse_integer(about.get("amount")),
        currency=parse_text(data.get("currency") or about.get("currency"), 10),
        category=parse_text(data.get("category"), 50),
        resolution=_lower(data.get("resolution")),
        opened_at=parse_time(data.get("created_at") or data.get("createdAt")),
        due_at=parse_time(data.get("dueAt") or data.get("due_at")),
        resolved_at=parse_time(data.get("resolvedAt") or data.get("resolved_at")),
        changed_at=parse_time(data.get("updated_at") or data.get("updatedAt")),
    )


def _lower(value: Any) -> str | None:
    found = parse_text(value, 50)
    return found.lower() if found else None


@dataclass(frozen=True, slots=True)
class Upload:
    """Where to PUT a file for a dispute, within half an hour, and its name afterwards."""

    url: str
    filename: str


class Disputes:
    """/dispute"""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def fetch(self, dispute_id: int) -> PaystackDispute:
        """GET /dispute/:id."""
        return _told(await self._transport.call("dispute", "GET", f"/dispute/{dispute_id}"))

    async def of_status(self, status: str, page: int) -> list[PaystackDispute]:
        """GET /dispute, fifty a page, from page 1."""
        path = f"/dispute?status={quote(status, safe='')}&perPage=50&page={page}"
        return [_told(one) for one in await self._transport.list_of("disputes", path)]

    async def upload_address(self, dispute_id: int, filename: str) -> Upload:
        """GET /dispute/:id/upload_url."""
        path = f"/dispute/{dispute_id}/upload_url?upload_filename={quote(filename, safe='')}"
        data = await self._transport.call("upload_url", "GET", path)
        url, name = parse_text(data.get("signedUrl"), 4000), parse_text(data.get("fileName"), 200)
        if url is None or name is None:
            raise NoAnswer("an upload without signedUrl or fileName")
        return Upload(url, name)

    async def add_evidence(self, dispute_id: int, evidence: dict[str, Any]) -> int | None:
        """POST /dispute/:id/evidence; Paystack's number of it."""
        data = await self._transport.call("evidence", "POST", f"/dispute/{dispute_id}/evidence", evidence)
        return parse_integer(data.get("id"), most=2**63 - 1)

    async def resolve(self, dispute_id: int, answer: dict[str, Any]) -> PaystackDispute:
        """PUT /dispute/:id/resolve: resolution, message, refund_amount, uploaded_filename; evidence where there is any."""
        return _told(await self._transport.call("resolve", "PUT", f"/dispute/{dispute_id}/resolve", answer))


def _told(data: Any) -> PaystackDispute:
    try:
        return parse_dispute(data)
    except Unreadable as error:
        raise NoAnswer(str(error)) from error
