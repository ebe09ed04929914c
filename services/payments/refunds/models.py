"""The table of refunds. Amounts are subunits of `currency`; times are UTC."""

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from kit.db.columns import one_of, text_enum
from services.payments.models import Base
from services.payments.statuses import RefundStatus

FINAL = frozenset({RefundStatus.PROCESSED, RefundStatus.FAILED})
"""Paystack's final statuses of a refund: Paystack does not change them any more."""


class Refund(Base):
    """A refund of a whole payment or of a part of it. `paystack_id` is null until Paystack has reported the refund.

    `error`: what happened, in words, if the refund failed, was refused or needs the payer's bank account.
    `attempts`: how often Paystack refused it; `next_attempt_at`: when it is sent again. Null: it is not sent again, or was never refused.
    `closed_by` and `closed_reason`: the operator who dealt with a failed refund, and how.

    `requested_by`: the id of an actor, `catalog` for an undeliverable order, or `paystack` for refunds that were not requested here.
    `dispute_id`: the lost dispute that caused it; a dispute has at most one refund.
    """

    __tablename__ = "refunds"
    __table_args__ = (
        one_of("status", RefundStatus),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("(closed_by IS NULL) = (closed_reason IS NULL)", name="closed_with_reason"),
        CheckConstraint("closed_by IS NULL OR status = 'failed'", name="closed_after_failure"),
        Index(None, "payment_id", "number"),
        Index("ix_refunds_not_processed", "status", "number", postgresql_where=text("status <> 'processed'")),
    )

    number: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    id: Mapped[UUID] = mapped_column(unique=True, default=uuid4)
    payment_id: Mapped[int] = mapped_column(ForeignKey("payments.id", ondelete="RESTRICT"))
    dispute_id: Mapped[int | None] = mapped_column(ForeignKey("disputes.id", ondelete="RESTRICT"), unique=True)
    paystack_id: Mapped[int | None] = mapped_column(unique=True)
    amount: Mapped[int]
    currency: Mapped[str]
    status: Mapped[RefundStatus] = mapped_column(text_enum(RefundStatus), server_default="requested")
    reason: Mapped[str | None]
    requested_by: Mapped[str]
    error: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    next_attempt_at: Mapped[datetime | None]
    closed_by: Mapped[str | None]
    closed_reason: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())
