"""The routes of rejected transfers. The scope payments:read is required to list them, payments:decide to have one tried again."""

from typing import Annotated

from fastapi import Path, Query

from kit.http.routing import Router
from kit.pagination import CursorParam, InvalidCursor, Limit, decode_cursor, encode_cursor, split_page
from kit.problem_responses import problem_responses
from services.payments.auth import PaymentsReader, ReviewActor
from services.payments.db import CurrentNotifier, Reading, Topic, sessions
from services.payments.errors import RejectedTransferMatched, RejectedTransferNotFound
from services.payments.rejected_transfers import retry
from services.payments.rejected_transfers.record import list_transfers
from services.payments.rejected_transfers.schemas import RejectedTransferPage, RejectedTransferView, TransferId

router = Router(prefix="/payments/rejected-transfers", tags=["rejected transfers"])
LIST_NAME = "rejected transfers"


@router.get("", summary="List rejected bank transfers", responses=problem_responses(InvalidCursor))
async def list_rejected_transfers(
    _: PaymentsReader,
    session: Reading,
    without_payment: Annotated[
        bool,
        Query(description="Only transfers without a payment: those with the status `pending`, `unmatched` or `failed`"),
    ] = False,
    failed: Annotated[
        bool, Query(description="Only transfers with the status `failed`, which need an operator")
    ] = False,
    limit: Limit = 20,
    cursor: CursorParam = None,
) -> RejectedTransferPage:
    """Return the bank transfers that Paystack rejected and returns to their payers, newest first. Requires the scope `payments:read`."""
    before = None if cursor is None else decode_cursor(cursor, LIST_NAME, int)[0]
    rows = await list_transfers(session, limit + 1, without_payment=without_payment, failed=failed, before=before)
    page, next_cursor = split_page(rows, limit, lambda last: encode_cursor(LIST_NAME, last[0].id))
    return RejectedTransferPage(items=[RejectedTransferView.of(*row) for row in page], next_cursor=next_cursor)


@router.post(
    "/{transfer_id}/retry",
    status_code=202,
    summary="Look up the payment of a rejected transfer again",
    responses=problem_responses(RejectedTransferNotFound, RejectedTransferMatched),
)
async def retry_rejected_transfer(
    actor: ReviewActor,
    notifier: CurrentNotifier,
    transfer_id: Annotated[TransferId, Path(description="Id of the rejected transfer")],
) -> RejectedTransferView:
    """Ask Paystack again, in the background, to which payment a transfer belongs. Idempotent. Requires the scope `payments:decide`.

    For a transfer with the status `failed` or `unmatched`. One that is `pending` is looked up now, instead of after its next pause.
    """
    async with sessions.begin() as session:
        view = RejectedTransferView.of(await retry.retry(session, transfer_id, actor), None, None)
    notifier.notify(Topic.TRANSFERS)
    return view
