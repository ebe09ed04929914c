"""Disputes: looked at, listed, and answered."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from services.payments.charges import Unreadable, read_subunits, read_text
from services.payments.disputes.told import ToldDispute, read_dispute
from services.payments.paystack.errors import NoAnswer
from services.payments.paystack.wire import Wire


@dataclass(frozen=True, slots=True)
class Upload:
    """Where to PUT a file for a dispute, within half an hour, and its name afterwards."""

    url: str
    filename: str


class Disputes:
    """/dispute"""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def fetch(self, dispute_id: int) -> ToldDispute:
        """GET /dispute/:id."""
        return _told(await self._wire.call("dispute", "GET", f"/dispute/{dispute_id}"))

    async def of_status(self, status: str, page: int) -> list[ToldDispute]:
        """GET /dispute, fifty a page, from page 1."""
        path = f"/dispute?status={quote(status, safe='')}&perPage=50&page={page}"
        return [_told(one) for one in await self._wire.list_of("disputes", path)]

    async def upload_address(self, dispute_id: int, filename: str) -> Upload:
        """GET /dispute/:id/upload_url."""
        path = f"/dispute/{dispute_id}/upload_url?upload_filename={quote(filename, safe='')}"
        data = await self._wire.call("upload_url", "GET", path)
        url, name = read_text(data.get("signedUrl"), 4000), read_text(data.get("fileName"), 200)
        if url is None or name is None:
            raise NoAnswer("an upload without signedUrl or fileName")
        return Upload(url, name)

    async def add_evidence(self, dispute_id: int, evidence: dict[str, Any]) -> int | None:
        """POST /dispute/:id/evidence; Paystack's number of it."""
        data = await self._wire.call("evidence", "POST", f"/dispute/{dispute_id}/evidence", evidence)
        return read_subunits(data.get("id"), most=2**63 - 1)

    async def resolve(self, dispute_id: int, answer: dict[str, Any]) -> ToldDispute:
        """PUT /dispute/:id/resolve: resolution, message, refund_amount, uploaded_filename; evidence where there is any."""
        return _told(await self._wire.call("resolve", "PUT", f"/dispute/{dispute_id}/resolve", answer))


def _told(data: Any) -> ToldDispute:
    try:
        return read_dispute(data)
    except Unreadable as error:
        raise NoAnswer(str(error)) from error
