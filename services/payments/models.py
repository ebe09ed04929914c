"""The tables of payments. Money is subunits of `currency`; times are UTC."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, MetaData, func, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from contracts.events import HeldReason
from kit.db.columns import one_of, text_enum
from kit.db.engine import NAMING, TYPES
from kit.idempotency.long_running import LockedKey
from kit.messaging.inbox import InboxEntry
from kit.messaging.outbox import OutboxEvent


class PaymentStatus(StrEnum):
    """Where a payment stands. Paystack's `abandoned` is not failure: the payer may still pay."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ABANDONED = "abandoned"
    HELD = "held"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"
    DISPUTED = "disputed"


class DisputeResolution(StrEnum):
    """Paystack's known words for how a dispute ended. The column keeps unknown words too, so it is plain text."""

    MERCHANT_ACCEPTED = "merchant-accepted"
    AUTO_ACCEPTED = "auto-accepted"
    DECLINED = "declined"


class DisputeStatus(StrEnum):
    """Paystack's words for the status of a dispute."""

    AWAITING_MERCHANT_FEEDBACK = "awaiting-merchant-feedback"
    AWAITING_BANK_FEEDBACK = "awaiting-bank-feedback"
    PENDING = "pending"
    RESOLVED = "resolved"
    ARCHIVED = "archived"


UNPAID = frozenset({PaymentStatus.PENDING, PaymentStatus.FAILED, PaymentStatus.ABANDONED})
"""No money is known to have come, and it may come yet."""


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = TYPES


class Payment(Base):
    """One attempt to pay for one order, under one reference at Paystack; or money that came under a reference of nobody."""

    __tablename__ = "payments"
    __table_args__ = (
        one_of("status", PaymentStatus),
        one_of("held_reason", HeldReason),
        CheckConstraint("amount >= 0", name="amount"),
        CheckConstraint("order_id IS NOT NULL OR status <> 'succeeded'", name="succeeded_has_order"),
        Index(None, "order_id"),
        Index(None, "payer_id", "id"),
        # For the lists of what is rare among millions.
        Index(
            "ix_payments_rare",
            "status",
            "id",
            postgresql_where=text("status IN ('held', 'disputed', 'partially_refunded', 'refunded')"),
        ),
        Index(
            "ix_payments_undecided", "verify_next_attempt_at", postgresql_where=text("status IN ('pending', 'failed')")
        ),
        Index(None, "refunds_next_attempt_at", postgresql_where=text("refunds_next_attempt_at IS NOT NULL")),
        Index(None, "card_id", postgresql_where=text("card_id IS NOT NULL")),
        Index(None, "payout_id", postgresql_where=text("payout_id IS NOT NULL")),
        Index(None, "created_at", postgresql_using="brin"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    reference: Mapped[str] = mapped_column(unique=True)
    order_id: Mapped[UUID | None]
    payer_id: Mapped[str | None]
    email: Mapped[str | None]
    phone: Mapped[str | None]
    # The saved card that was charged, where the payer was not sent to a page.
    card_id: Mapped[UUID | None] = mapped_column(ForeignKey("cards.id", ondelete="RESTRICT"))
    amount: Mapped[int]
    currency: Mapped[str]
    status: Mapped[PaymentStatus] = mapped_column(text_enum(PaymentStatus), server_default="pending")
    held_reason: Mapped[HeldReason | None] = mapped_column(text_enum(HeldReason))
    authorization_url: Mapped[str | None]
    access_code: Mapped[str | None]
    callback_url: Mapped[str | None]
    cancel_url: Mapped[str | None]
    # What Paystack reported.
    paystack_id: Mapped[int | None]
    paid_amount: Mapped[int | None]
    paid_currency: Mapped[str | None]
    fees: Mapped[int | None]
    domain: Mapped[str | None]
    channel: Mapped[str | None]
    gateway_response: Mapped[str | None]
    paid_at: Mapped[datetime | None]
    # The sweeper's clock.
    verify_next_attempt_at: Mapped[datetime]
    verify_attempts: Mapped[int] = mapped_column(server_default=text("0"))
    # Refunds: what has gone back so far, and when Paystack is to be asked about them next.
    refunded_amount: Mapped[int] = mapped_column(server_default=text("0"))
    refunds_next_attempt_at: Mapped[datetime | None]
    refunds_leased_until: Mapped[datetime | None]
    refunds_attempts: Mapped[int] = mapped_column(server_default=text("0"))
    # The payout to our bank that it came in.
    payout_id: Mapped[int | None] = mapped_column(ForeignKey("payouts.id", ondelete="RESTRICT"))
    traceparent: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())

    @property
    def received(self) -> int:
        """Subunits of `paid_currency` that were paid; 0 before anything was."""
        return self.paid_amount or 0

    @property
    def refundable(self) -> int:
        """Subunits that were paid and have not been refunded. Refunds that are requested or under way are not subtracted."""
        return self.received - self.refunded_amount


class Dispute(Base):
    """A payer's complaint at the bank, as Paystack tells it. `payment_id` is empty where it is about money that we know nothing of."""

    __tablename__ = "disputes"
    __table_args__ = (
        one_of("status", DisputeStatus),
        CheckConstraint("amount >= 0", name="amount"),
        CheckConstraint("(status IN ('resolved', 'archived')) = (lost IS NOT NULL)", name="lost_when_over"),
        Index(None, "payment_id"),
        Index(None, "due_at", "id"),
        Index("ix_disputes_open", "due_at", "id", postgresql_where=text("lost IS NULL")),
        Index(None, "next_attempt_at", postgresql_where=text("next_attempt_at IS NOT NULL")),
    )

    # Paystack's.
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    payment_id: Mapped[int | None] = mapped_column(ForeignKey("payments.id", ondelete="RESTRICT"))
    reference: Mapped[str | None]
    amount: Mapped[int | None]
    currency: Mapped[str | None]
    category: Mapped[str | None]
    status: Mapped[DisputeStatus] = mapped_column(text_enum(DisputeStatus))
    resolution: Mapped[str | None]
    # Whether money goes back; empty until it is over.
    lost: Mapped[bool | None]
    opened_at: Mapped[datetime]
    due_at: Mapped[datetime]
    resolved_at: Mapped[datetime | None]
    # What we answered.
    evidence: Mapped[dict[str, Any] | None]
    evidence_id: Mapped[int | None]
    answer: Mapped[str | None]
    answered_by: Mapped[str | None]
    # When Paystack last changed it, and when we ask about it next.
    changed_at: Mapped[datetime | None]
    next_attempt_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())


class Inbox(InboxEntry, Base):
    """Events taken from the broker; `key` is the event's id."""

    __tablename__ = "inbox"


class OutboxRow(OutboxEvent, Base):
    """Events on their way to the broker."""


class IdempotencyKey(LockedKey, Base):
    """Answers kept for whoever asks twice."""
