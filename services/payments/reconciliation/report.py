"""The result of a reconciliation: the differences between the ledger, our payments, Paystack and the deliveries of catalog."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, Field

MAX_DIFFERENCES = 1000
"""The maximum number of differences that a report lists. Further differences are only counted, in `more`."""


class DifferenceKind(StrEnum):
    """The kinds of differences."""

    LEDGER_DIFFERS = "ledger_differs"
    """The ledger's entries of a payment do not add up to the amounts of the payment."""

    MISSING_HERE = "missing_here"
    """Paystack has a paid transaction whose reference is unknown here."""

    MISSING_THERE = "missing_there"
    """Paystack does not know a payment that is paid here."""

    AMOUNT_DIFFERS = "amount_differs"
    """The paid amount or its currency differs."""

    FEE_DIFFERS = "fee_differs"
    """Paystack's fee differs."""

    STATUS_DIFFERS = "status_differs"
    """The status here does not match the status at Paystack."""

    PAYOUT_DIFFERS = "payout_differs"
    """The sums of a payout differ from its transactions or do not add up, or the payout differs from the recorded one."""

    NOT_PAID_OUT = "not_paid_out"
    """A payment was paid long ago and is in no payout."""

    DELIVERY_WITHOUT_PAYMENT = "delivery_without_payment"
    """Catalog has delivered an order above zero, and no payment with its reference has succeeded."""

    DELIVERY_DIFFERS = "delivery_differs"
    """The order, the amount or the currency of a delivery is not that of its payment."""

    PAYMENT_WITHOUT_DELIVERY = "payment_without_delivery"
    """A payment has succeeded, and its order is neither delivered nor waiting for its delivery."""

    UNREADABLE = "unreadable"
    """Paystack listed an entry that could not be parsed."""


class Difference(BaseModel):
    kind: DifferenceKind
    reference: str | None = Field(default=None, description="Reference of the payment")
    payout: int | None = Field(default=None, description="Paystack's id of the settlement")
    here: str | None = Field(
        default=None,
        description="The values in our database. For the sums of a payout: the sums over the transactions that Paystack lists, and for the "
        "amount paid out, what Paystack reports as processed minus its fees minus its deductions",
    )
    there: str | None = Field(default=None, description="The values at Paystack, or those of the delivery in catalog")


class Report(BaseModel):
    """The differences and counts of a reconciliation of the period [since, until)."""

    since: datetime = Field(description="Start of the period")
    until: datetime = Field(
        description="End of the period. Payments and transactions that were created then or later are not compared"
    )
    payments: int = Field(default=0, description="Number of paid payments in our database")
    transactions: int = Field(default=0, description="Number of transactions that Paystack listed")
    unrelated: int = Field(
        default=0,
        description="Number of paid transactions whose references are certainly not ours. They are not compared",
    )
    deliveries: int = Field(default=0, description="Number of deliveries of an amount above zero that catalog listed")
    payouts: int = Field(default=0, description="Number of payouts that Paystack listed, from `since` until now")
    payouts_recorded: int = Field(default=0, description="Number of payouts that were new and are now in the ledger")
    fees_recorded: int = Field(default=0, description="Number of fees that were unknown and are now recorded")
    differences: list[Difference] = []
    more: int = Field(default=0, description="Number of differences that are not listed")
    not_compared: list[str] = Field(default=[], description="What was not compared, one sentence each")

    @property
    def agrees(self) -> bool:
        """True if there is no difference."""
        return not self.differences

    @property
    def full(self) -> bool:
        """True if further differences are only counted."""
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
        """Add a difference. A difference that is already listed is not added again."""
        difference = Difference(kind=kind, reference=reference, payout=payout, here=here, there=there)
        if self.full:
            self.more += 1
        elif difference not in self.differences:
            self.differences.append(difference)
