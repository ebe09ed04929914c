"""What those may read of the books who hold the scope payments:read."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from kit.errors import NotAllowed, NotAuthenticated, problem_responses
from kit.pagination import CursorParam, InvalidCursor, Limit
from services.payments.auth import Reading
from services.payments.db import Transaction, sessions
from services.payments.ledger import csv_export, queries
from services.payments.ledger.models import Account
from services.payments.ledger.queries import Filter
from services.payments.ledger.schemas import Balances, BalanceView, EntryView, LedgerPage, Moment

router = APIRouter(prefix="/payments", tags=["ledger"])
AccountParam = Annotated[Account | None, Query(description="Entries of this account only")]
CurrencyParam = Annotated[str | None, Query(pattern=r"^[A-Z]{3}$", description="Entries in this currency only")]
ReferenceParam = Annotated[
    str | None, Query(pattern=r"^[A-Za-z0-9.=_-]{1,200}$", description="Entries of this payment only")
]
From = Annotated[Moment | None, Query(alias="from", description="Recorded then or later: a time, or a date in UTC")]
To = Annotated[Moment | None, Query(alias="to", description="Recorded before then: a time, or a date in UTC")]


@router.get("/ledger", responses=problem_responses(NotAuthenticated, NotAllowed, InvalidCursor))
async def read(
    _: Reading,
    session: Transaction,
    account: AccountParam = None,
    currency: CurrencyParam = None,
    reference: ReferenceParam = None,
    since: From = None,
    until: To = None,
    limit: Limit = 20,
    cursor: CursorParam = None,
) -> LedgerPage:
    """Entries, newest first."""
    wanted = Filter(account, currency, reference, since, until)
    found, more = await queries.page(session, wanted, limit, cursor)
    return LedgerPage(items=[EntryView.model_validate(entry) for entry in found], next_cursor=more)


@router.get("/ledger/balances", responses=problem_responses(NotAuthenticated, NotAllowed))
async def read_balances(_: Reading, session: Transaction, until: To = None) -> Balances:
    """The balance of each account in each currency, now or at an earlier time."""
    found = await queries.balances(session, until)
    return Balances(items=[BalanceView.model_validate(balance) for balance in found])


@router.get(
    "/ledger.csv",
    response_class=StreamingResponse,
    responses={
        200: {"description": "All entries, oldest first", "content": {"text/csv": {"schema": {"type": "string"}}}},
        **problem_responses(NotAuthenticated, NotAllowed),
    },
)
async def export_csv(
    _: Reading, account: AccountParam = None, currency: CurrencyParam = None, since: From = None, until: To = None
) -> StreamingResponse:
    """The books of a period as CSV; until now where no end is given."""
    end = until or datetime.now(UTC)
    rest = queries.batches(sessions, Filter(account, currency, None, since, end))
    first = await anext(rest)
    return StreamingResponse(
        csv_export.lines(first, rest),
        media_type="text/csv; charset=utf-8; header=present",
        headers={"Content-Disposition": 'attachment; filename="ledger.csv"', "Cache-Control": "no-store"},
    )
