"""The tables of payments. Money is subunits of `currency`; times are UTC."""

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, MetaData, func, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from kit.database import NAMING, TYPES
from kit.idempotency import KeptAnswer
from kit.inbox import InboxEntry
from kit.outbox import OutboxEvent

STATUSES = ("pending", "succeeded", "failed", "abandoned", "held", "partially_refunded", "refunded", "disputed")

REFUND_STATUSES = ("requested", "pending", "processing", "processed", "failed", "needs-attention")


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = TYPES


class Payment(Base):
    """One attempt to pay for one order, under one reference at Paystack; or money that came under a reference of nobody."""

    __tablename__ = "payments"
    __table_args__ = (
        CheckConstraint(f"status IN {STATUSES}", name="status"),
        CheckConstraint("amount >= 0", name="amount"),
        CheckConstraint("order_id IS NOT NULL OR status <> 'succeeded'", name="succeeded_has_order"),
        Index(None, "order_id"),
        Index(None, "payer_id", "id"),
        Index("ix_payments_held", "id", postgresql_where=text("status = 'held'")),
        Index(None, "next_verify_at", postgresql_where=text("status = 'pending'")),
        Index(None, "refunds_due_at", postgresql_where=text("refunds_due_at IS NOT NULL")),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    reference: Mapped[str] = mapped_column(unique=True)
    order_id: Mapped[UUID | None]
    payer_id: Mapped[str | None]
    email: Mapped[str | None]
    phone: Mapped[str | None]
    amount: Mapped[int]
    currency: Mapped[str]
    status: Mapped[str] = mapped_column(server_default="pending")
    held_reason: Mapped[str | None]
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
    next_verify_at: Mapped[datetime]
    verifications: Mapped[int] = mapped_column(server_default=text("0"))
    # Refunds: what has gone back so far, and when Paystack is to be asked about them next.
    refunded_amount: Mapped[int] = mapped_column(server_default=text("0"))
    refunds_due_at: Mapped[datetime | None]
    refund_looks: Mapped[int] = mapped_column(server_default=text("0"))
    traceparent: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())


class Refund(Base):
    """Money on its way back to the payer. `requested` is not told to Paystack yet; the other statuses are Paystack's words."""

    __tablename__ = "refunds"
    __table_args__ = (
        CheckConstraint(f"status IN {REFUND_STATUSES}", name="status"),
        CheckConstraint("amount > 0", name="amount"),
        Index(None, "payment_id", "number"),
        Index("ix_refunds_attention", "number", postgresql_where=text("status = 'needs-attention'")),
    )

    number: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    id: Mapped[UUID] = mapped_column(unique=True, default=uuid4)
    payment_id: Mapped[int] = mapped_column(ForeignKey("payments.id", ondelete="RESTRICT"))
    paystack_id: Mapped[int | None] = mapped_column(unique=True)
    amount: Mapped[int]
    currency: Mapped[str]
    status: Mapped[str] = mapped_column(server_default="requested")
    reason: Mapped[str | None]
    requested_by: Mapped[str]
    error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())


class Decision(Base):
    """What a person decided about held money, and why. Never changed."""

    __tablename__ = "decisions"
    __table_args__ = (
        CheckConstraint("decision IN ('accept', 'bind')", name="decision"),
        Index(None, "payment_id"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    payment_id: Mapped[int] = mapped_column(ForeignKey("payments.id", ondelete="RESTRICT"))
    decision: Mapped[str]
    held_reason: Mapped[str]
    reason: Mapped[str]
    decided_by: Mapped[str]
    decided_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Notice(InboxEntry, Base):
    """What Paystack sent, as it came. `key` is the SHA-256 of the body; what is in it is known when it is settled."""

    __tablename__ = "notices"

    event: Mapped[str | None]
    reference: Mapped[str | None]
    outcome: Mapped[str | None]


class Inbox(InboxEntry, Base):
    """Events taken from the broker; `key` is the event's id."""

    __tablename__ = "inbox"


class OutboxRow(OutboxEvent, Base):
    """Events on their way to the broker."""


class IdempotencyKey(KeptAnswer, Base):
    """Answers kept for whoever asks twice."""
