"""The route of rejected transfers. It requires the scope payments:read."""

from typing import Annotated

from fastapi import Query

from kit.http.routing import Router
from kit.pagination import CursorParam, InvalidCursor, Limit, decode_cursor, encode_cursor, split_page
from kit.problem_responses import problem_responses
from services.payments.auth import PaymentsReader
from services.payments.db import Reading
from services.payments.rejected_transfers.record import list_transfers
from services.payments.rejected_transfers.schemas import RejectedTransferPage, RejectedTransferView

router = Router(prefix="/payments/rejected-transfers", tags=["rejected transfers"])
LIST_NAME = "rejected transfers"


@router.get("", summary="List rejected bank transfers", responses=problem_responses(InvalidCursor))
async def list_rejected_transfers(
    _: PaymentsReader,
    session: Reading,
    without_payment: Annotated[
        bool, Query(description="Only transfers with the status `pending` or `unmatched`: their payment is not known")
    ] = False,
    limit: Limit = 20,
    cursor: CursorParam = None,
) -> RejectedTransferPage:
    """Return the bank transfers that Paystack rejected and returns to their payers, newest first. Requires the scope `payments:read`."""
    before = None if cursor is None else decode_cursor(cursor, LIST_NAME, int)[0]
    rows = await list_transfers(session, limit + 1, without_payment=without_payment, before=before)
    page, next_cursor = split_page(rows, limit, lambda last: encode_cursor(LIST_NAME, last[0].id))
    return RejectedTransferPage(items=[RejectedTransferView.of(*row) for row in page], next_cursor=next_cursor)
