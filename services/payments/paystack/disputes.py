"""Disputes at Paystack: fetch, list, respond; and the parser of a dispute.

The official samples differ: `created_at` or `createdAt`; refund_amount, currency and dueAt are null in old ones; the transaction is an
object or only its id.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from services.payments.paystack.charge import REVERSED
from services.payments.paystack.errors import NoAnswer
from services.payments.paystack.parsing import MAX_ID, Unreadable, parse_integer, parse_text, parse_time
from services.payments.paystack.transport import Transport

RESOLVED = frozenset({"resolved", "archived"})
ACCEPTED = frozenset({"merchant-accepted", "auto-accepted"})


@dataclass(frozen=True, slots=True)
class PaystackDispute:
    """A dispute as Paystack reports it. Amounts are subunits.

    `amount` is Paystack's refund_amount: while the dispute is open, the disputed amount; after it is lost, the amount that the payer gets
    back. None if it is missing or 0, as in a declined dispute. `paid_amount` is the amount of the transaction.
    """

    id: int
    status: str
    reference: str | None = None
    transaction_status: str | None = None
    domain: str | None = None
    amount: int | None = None
    paid_amount: int | None = None
    currency: str | None = None
    category: str | None = None
    resolution: str | None = None
    opened_at: datetime | None = None
    due_at: datetime | None = None
    resolved_at: datetime | None = None
    changed_at: datetime | None = None

    @property
    def resolved(self) -> bool:
        """Return True if the dispute has ended."""
        return self.status in RESOLVED

    @property
    def lost(self) -> bool:
        """Return True if the payer gets money back. For an unknown resolution, the status of the transaction decides."""
        if self.resolution in ACCEPTED:
            return True
        return self.resolution != "declined" and self.transaction_status in REVERSED


def parse_dispute(data: object) -> PaystackDispute:
    """Parse a dispute. Raises Unreadable without an id or a status."""
    if not isinstance(data, dict):
        raise Unreadable("data is not an object")
    dispute_id, status = parse_integer(data.get("id"), maximum=MAX_ID), parse_text(data.get("status"), 50)
    if dispute_id is None or status is None:
        raise Unreadable("a dispute without id or status")
    found = data.get("transaction")
    transaction = found if isinstance(found, dict) else {}
    reference = transaction.get("reference") or data.get("merchant_transaction_reference")
    return PaystackDispute(
        id=dispute_id,
        status=status.lower(),
        reference=parse_text(reference, 200),
        transaction_status=_lower(transaction.get("status")),
        domain=_lower(data.get("domain") or transaction.get("domain")),
        amount=parse_integer(data.get("refund_amount")) or None,
        paid_amount=parse_integer(transaction.get("amount")),
        currency=parse_text(data.get("currency") or transaction.get("currency"), 10),
        category=parse_text(data.get("category"), 50),
        resolution=_lower(data.get("resolution")),
        opened_at=parse_time(data.get("created_at") or data.get("createdAt")),
        due_at=parse_time(data.get("dueAt") or data.get("due_at")),
        resolved_at=parse_time(data.get("resolvedAt") or data.get("resolved_at")),
        changed_at=parse_time(data.get("updated_at") or data.get("updatedAt")),
    )


def _lower(value: object) -> str | None:
    found = parse_text(value, 50)
    return found.lower() if found else None


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload URL for an evidence file, valid for 30 minutes. `filename` is the `uploaded_filename` that `resolve` sends."""

    url: str
    filename: str


class Disputes:
    """The calls under /dispute."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def fetch(self, dispute_id: int) -> PaystackDispute:
        """GET /dispute/:id."""
        return _parse_response(await self._transport.call("dispute", "GET", f"/dispute/{dispute_id}"))

    async def list_with_status(self, status: str, page: int) -> list[PaystackDispute]:
        """GET /dispute: 50 per page, the first page is 1."""
        path = f"/dispute?status={quote(status, safe='')}&perPage=50&page={page}"
        return [_parse_response(one) for one in await self._transport.call_for_list("disputes", path)]

    async def create_upload_url(self, dispute_id: int, filename: str) -> Upload:
        """GET /dispute/:id/upload_url."""
        path = f"/dispute/{dispute_id}/upload_url?upload_filename={quote(filename, safe='')}"
        data = await self._transport.call("upload_url", "GET", path)
        url, name = parse_text(data.get("signedUrl"), 4000), parse_text(data.get("fileName"), 200)
        if url is None or name is None:
            raise NoAnswer("an upload without signedUrl or fileName")
        return Upload(url, name)

    async def add_evidence(self, dispute_id: int, evidence: dict[str, Any]) -> int | None:
        """POST /dispute/:id/evidence; return Paystack's id of the evidence."""
        data = await self._transport.call("evidence", "POST", f"/dispute/{dispute_id}/evidence", evidence)
        return parse_integer(data.get("id"), maximum=MAX_ID)

    async def resolve(self, dispute_id: int, body: dict[str, Any]) -> PaystackDispute:
        """PUT /dispute/:id/resolve with resolution, message, refund_amount, uploaded_filename and, if there is any, evidence."""
        return _parse_response(await self._transport.call("resolve", "PUT", f"/dispute/{dispute_id}/resolve", body))


def _parse_response(data: object) -> PaystackDispute:
    try:
        return parse_dispute(data)
    except Unreadable as error:
        raise NoAnswer(str(error)) from error
