"""The table of rejected transfers. Amounts are subunits; Paystack does not report their currency. Times are UTC."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from services.payments.models import Base


class RejectedTransfer(Base):
    """A bank transfer that Paystack rejected and returns to the payer, because its amount is wrong, for example.

    `transaction_id`: Paystack's id of the transaction; the webhook event has no reference. `payment_id` is null until Paystack has answered
    with the reference, and stays null if no payment has this reference: then `error` says so. `next_attempt_at`: when Paystack is asked for
    the reference; null if it is not asked any more. `failures`: how often Paystack refused to answer, or its answer was not usable.
    `failed_at`: when these were too many, so that an operator must have it tried again; null otherwise.
    """

    __tablename__ = "rejected_transfers"
    __table_args__ = (
        CheckConstraint("(payment_id IS NULL) = (matched_at IS NULL)", name="matched_with_payment"),
        CheckConstraint("failed_at IS NULL OR (payment_id IS NULL AND next_attempt_at IS NULL)", name="failed"),
        Index(None, "payment_id", "id"),
        Index(None, "next_attempt_at", postgresql_where=text("next_attempt_at IS NOT NULL")),
        Index(None, "matched_at", postgresql_where=text("matched_at IS NOT NULL")),
        Index("ix_rejected_transfers_without_payment", "id", postgresql_where=text("payment_id IS NULL")),
        Index("ix_rejected_transfers_failed", "id", postgresql_where=text("failed_at IS NOT NULL")),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    # Of the webhook event (paystack/event_types.py): an event that is processed again is recorded once.
    identity: Mapped[str] = mapped_column(unique=True)
    transaction_id: Mapped[int]
    amount: Mapped[int | None]
    reason: Mapped[str | None]
    message: Mapped[str | None]
    payment_id: Mapped[int | None] = mapped_column(ForeignKey("payments.id", ondelete="RESTRICT"))
    error: Mapped[str | None]
    # When the webhook event was received, and when the payment was found.
    rejected_at: Mapped[datetime]
    matched_at: Mapped[datetime | None]
    next_attempt_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    failures: Mapped[int] = mapped_column(server_default=text("0"))
    failed_at: Mapped[datetime | None]
