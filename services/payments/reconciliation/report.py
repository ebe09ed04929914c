"""What a reconciliation finds: each difference between our books, our payments and Paystack, by its name."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, Field

MAX_DIFFERENCES = 1000
"""Differences that are named; more are counted."""


class DifferenceKind(StrEnum):
    """The names of differences."""

    LEDGER_DIFFERS = "ledger_differs"
    MISSING_HERE = "missing_here"
    MISSING_THERE = "missing_there"
    AMOUNT_DIFFERS = "amount_differs"
    FEE_DIFFERS = "fee_differs"
    STATUS_DIFFERS = "status_differs"
    PAYOUT_DIFFERS = "payout_differs"
    UNSETTLED = "unsettled"
    UNREADABLE = "unreadable"


class Difference(BaseModel):
    kind: DifferenceKind
    reference: str | None = Field(default=None, description="The payment")
    payout: int | None = Field(default=None, description="Paystack's settlement")
    here: str | None = None
    there: str | None = None


class Report(BaseModel):
    """Of what began in [since, until). Counts: what was compared, and what was learned on the way."""

    since: datetime
    until: datetime
    payments: int = Field(default=0, description="Paid payments of ours")
    transactions: int = Field(default=0, description="Transactions that Paystack lists")
    payouts: int = Field(default=0, description="Payouts that Paystack lists, up to now")
    payouts_recorded: int = Field(default=0, description="Of them, those that are new in our books")
    fees_learned: int = Field(default=0, description="Fees that Paystack had not told before")
    differences: list[Difference] = []
    more: int = Field(default=0, description="Differences beyond those that are named")

    @property
    def agrees(self) -> bool:
        return not self.differences

    @property
    def full(self) -> bool:
        return len(self.differences) >= MAX_DIFFERENCES

    def add(
        self,
        kind: DifferenceKind,
        *,
        reference: str | None = None,
        payout: int | None = None,
        here: str | None = None,
        there: str | None = None,
    ) -> None:
        found = Difference(kind=kind, reference=reference, payout=payout, here=here, there=there)
        if self.full:
            self.more += 1
        elif found not in self.differences:
            self.differences.append(found)
