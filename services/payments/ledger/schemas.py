"""Response schemas of the ledger."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, Field

from kit.fields import NOT_A_NUMBER
from kit.schemas import ListResponse, PageResponse, ResponseModel, example
from services.payments.ledger.models import Account, MovementKind

EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def _in_utc(time: datetime) -> datetime:
    aware = time if time.tzinfo else time.replace(tzinfo=UTC)
    if not EARLIEST <= aware < LATEST:
        raise ValueError("must be between the years 2000 and 2199")
    return aware.astimezone(UTC)


UtcTime = Annotated[datetime, NOT_A_NUMBER, AfterValidator(_in_utc)]
"""A time with any UTC offset. Without an offset it is UTC, and a date is midnight UTC."""


class EntryView(ResponseModel):
    model_config = example(
        {
            "movement": "received:pay-4f1c2b7e9d0a4c6f8b3e5d7a9c1e2f40",
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

    movement: str = Field(description="Unique key of the movement, which its two entries share")
    line: int = Field(description="1: the debit, 2: the credit of the movement")
    kind: MovementKind = Field(description="Kind of the movement")
    reference: str | None = Field(
        description="Reference of the payment; null for a payout to the bank, and for an unrelated charge and its fee"
    )
    account: Account = Field(description="Account that the entry changes")
    currency: str = Field(description="ISO 4217 code")
    amount: int = Field(description="Amount in subunits. Positive: debits the account; negative: credits it")
    occurred_at: datetime = Field(description="Time of the movement at Paystack; if unknown, the time of the entry")
    recorded_at: datetime = Field(description="Time of the entry in this ledger")


class LedgerPage(PageResponse[EntryView]):
    """One page of ledger entries."""


class BalanceView(ResponseModel):
    model_config = example({"currency": "NGN", "account": "paystack:receivable", "balance": 1477500})

    currency: str = Field(description="ISO 4217 code")
    account: Account = Field(description="Account of the ledger")
    balance: int = Field(
        description="Balance in subunits. Assets and expenses are positive, income and liabilities negative: "
        "the balances of a currency add up to zero"
    )


class Balances(ListResponse[BalanceView]):
    """The balance of every account in every currency."""
