"""The tables of the ledger and of payouts. Amounts are subunits of `currency`; times are UTC."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from kit.db.columns import one_of, text_enum
from services.payments.models import Base


class MovementKind(StrEnum):
    """The kinds of movements of money. Each kind debits one account and credits another."""

    RECEIVED = "received"
    FEE = "fee"
    ACCEPTED = "accepted"
    BOUND = "bound"
    REFUNDED = "refunded"
    DISPUTED = "disputed"
    DISPUTE_WON = "dispute_won"
    DISPUTE_LOST = "dispute_lost"
    PAID_OUT = "paid_out"
    """A payout to our bank account, which Paystack calls a settlement."""


class Account(StrEnum):
    """The accounts of the ledger.

    `paystack:receivable`: money that Paystack owes the shop; `paystack:other_mode`: the same, in the other mode; `bank`: paid out to the
    shop; `disputes`: withheld during disputes; `sales`: earned; `held`: waits for an operator; `fees`: Paystack's fees; `refunds`: earned
    and refunded; `other_applications`: of other applications on the same Paystack account.
    """

    RECEIVABLE = "paystack:receivable"
    OTHER_MODE = "paystack:other_mode"
    BANK = "bank"
    DISPUTES = "disputes"
    SALES = "sales"
    HELD = "held"
    FEES = "fees"
    REFUNDS = "refunds"
    OTHER_APPLICATIONS = "other_applications"


class Payout(Base):
    """A payout from Paystack to our bank account, which Paystack calls a settlement. `amount` is the net amount that was paid out."""

    __tablename__ = "payouts"

    # Paystack's id of the settlement.
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    amount: Mapped[int]
    fees: Mapped[int]
    currency: Mapped[str]
    paid_out_at: Mapped[datetime]
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.now())


class LedgerTransaction(Base):
    """One movement of money: a transaction of bookkeeping with two entries, not a transaction of the database or of Paystack.

    Its business key is unique, so that it is recorded once. Triggers refuse changes and unbalanced entries.
    """

    __tablename__ = "ledger_transactions"
    __table_args__ = (
        one_of("kind", MovementKind),
        Index(None, "payment_id"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[MovementKind] = mapped_column(text_enum(MovementKind))
    payment_id: Mapped[int | None] = mapped_column(ForeignKey("payments.id", ondelete="RESTRICT"))
    occurred_at: Mapped[datetime]


class LedgerEntry(Base):
    """One of the two entries of a movement: a positive `amount` debits the account, a negative one credits it."""

    __tablename__ = "ledger_entries"
    __table_args__ = (
        CheckConstraint("amount <> 0", name="amount"),
        one_of("account", Account),
        Index(None, "recorded_at", "transaction_id", "line"),
        Index(
            "ix_ledger_entries_account",
            "account",
            "currency",
            "recorded_at",
            "transaction_id",
            "line",
            postgresql_include=["amount"],
        ),
    )

    transaction_id: Mapped[int] = mapped_column(
        ForeignKey("ledger_transactions.id", ondelete="RESTRICT"), primary_key=True
    )
    line: Mapped[int] = mapped_column(primary_key=True)
    account: Mapped[Account] = mapped_column(text_enum(Account))
    currency: Mapped[str]
    amount: Mapped[int]
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.now())
