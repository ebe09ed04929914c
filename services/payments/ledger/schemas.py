"""What the ledger answers."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, Field

from kit.schemas import ListResponse, PageResponse, ResponseModel, example
from services.payments.ledger.models import Account, MovementKind

EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def _moment(time: datetime) -> datetime:
    aware = time if time.tzinfo else time.replace(tzinfo=UTC)
    if not EARLIEST <= aware < LATEST:
        raise ValueError("must lie between the years 2000 and 2200")
    return aware.astimezone(UTC)


Moment = Annotated[datetime, AfterValidator(_moment)]
"""A time of any zone, in UTC where it names none; a date is its midnight."""


class EntryView(ResponseModel):
    model_config = example(
        {
            "transaction": "received:pay-4f1c2b7e9d0a4c6f8b3e5d7a9c1e2f40",
            "line": 1,
            "kind": "received",
            "reference": "pay-4f1c2b7e9d0a4c6f8b3e5d7a9c1e2f40",
            "account": "paystack:receivable",
            "currency": "NGN",
            "amount": 1500000,
            "occurred_at": "2026-11-23T09:31:12Z",
            "recorded_at": "2026-11-23T09:31:13.204911Z",
        }
    )

    transaction: str = Field(description="The business key that both sides of a movement share")
    line: int
    kind: MovementKind
    reference: str | None = Field(description="The payment that it is about; none for what was settled to the bank")
    account: Account
    currency: str
    amount: int = Field(description="Subunits: into the account where positive, out of it where negative")
    occurred_at: datetime = Field(description="At Paystack")
    recorded_at: datetime = Field(description="In these books")


class LedgerPage(PageResponse[EntryView]):
    """One page of ledger entries."""


class BalanceView(ResponseModel):
    model_config = example({"currency": "NGN", "account": "paystack:receivable", "balance": 1477500})

    currency: str
    account: Account
    balance: int = Field(
        description="Subunits. What we own and what it cost is positive, what was earned or is owed negative:"
        " together they are zero in every currency"
    )


class Balances(ListResponse[BalanceView]):
    """The balances of all accounts."""
