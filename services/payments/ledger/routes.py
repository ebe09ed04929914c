"""The routes of the ledger. They require the scope payments:read."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from fastapi.responses import StreamingResponse

from kit.fields import Pattern, ReferenceText
from kit.http.routing import Router
from kit.pagination import CursorParam, InvalidCursor, Limit
from kit.problem_responses import problem_responses
from services.payments.auth import PaymentsReader
from services.payments.db import DatabaseTransaction, Reading, reading_sessions
from services.payments.ledger import csv_export, queries
from services.payments.ledger.models import Account
from services.payments.ledger.queries import Filter
from services.payments.ledger.schemas import Balances, BalanceView, EntryView, LedgerPage, UtcTime

router = Router(prefix="/payments", tags=["ledger"])
AccountParam = Annotated[Account | None, Query(description="Only entries of this account")]
_CurrencyCode = Annotated[str, Pattern(r"^[A-Z]{3}$", "must be a currency code, such as NGN")]
CurrencyParam = Annotated[_CurrencyCode | None, Query(description="Only entries in this currency")]
ReferenceParam = Annotated[ReferenceText | None, Query(description="Only entries of the payment with this reference")]
From = Annotated[
    UtcTime | None,
    Query(alias="from", description="Only entries recorded at or after this time (a date means midnight UTC)"),
]
To = Annotated[
    UtcTime | None, Query(alias="to", description="Only entries recorded before this time (a date means midnight UTC)")
]


@router.get(
    "/ledger",
    summary="List ledger entries",
    responses=problem_responses(InvalidCursor),
)
async def list_ledger_entries(
    _: PaymentsReader,
    session: Reading,
    account: AccountParam = None,
    currency: CurrencyParam = None,
    reference: ReferenceParam = None,
    since: From = None,
    until: To = None,
    limit: Limit = 20,
    cursor: CursorParam = None,
) -> LedgerPage:
    """Return ledger entries, newest first. Requires the scope `payments:read`."""
    filters = Filter(account, currency, reference, since, until)
    entries, next_cursor = await queries.page(session, filters, limit, cursor)
    return LedgerPage(items=[EntryView.model_validate(entry) for entry in entries], next_cursor=next_cursor)


@router.get(
    "/ledger/balances",
    summary="List the balances of the ledger's accounts",
)
async def list_ledger_balances(_: PaymentsReader, session: DatabaseTransaction, until: To = None) -> Balances:
    """Return the balance of each account in each currency, now or at the time `to`. Requires the scope `payments:read`."""
    # Not Reading: with millions of entries, the sums may take longer than the statement timeout of reads.
    rows = await queries.balances(session, until)
    return Balances(items=[BalanceView.model_validate(row) for row in rows])


@router.get(
    "/ledger.csv",
    summary="Export ledger entries as CSV",
    response_class=StreamingResponse,
    responses={
        200: {"description": "The entries, oldest first", "content": {"text/csv": {"schema": {"type": "string"}}}}
    },
)
async def export_ledger_entries(
    _: PaymentsReader,
    account: AccountParam = None,
    currency: CurrencyParam = None,
    since: From = None,
    until: To = None,
) -> StreamingResponse:
    """Return the entries of a period as CSV with a header line, up to now if `to` is missing. Requires the scope `payments:read`."""
    end = until or datetime.now(UTC)
    batches = queries.batches(reading_sessions, Filter(account, currency, None, since, end))
    first = await anext(batches)
    return StreamingResponse(
        csv_export.lines(first, batches),
        media_type="text/csv; charset=utf-8; header=present",
        headers={"Content-Disposition": 'attachment; filename="ledger.csv"', "Cache-Control": "no-store"},
    )
