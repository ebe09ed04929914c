"""The tables that several folders of payments use. Amounts are subunits of `currency`; times are UTC."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, MetaData, func, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from contracts.reasons import HeldReason
from kit.audit.entries import AuditEntry
from kit.db.columns import one_of, text_enum
from kit.db.engine import NAMING, TYPES
from kit.idempotency.long_running import LockedKey
from kit.messaging.inbox import InboxEntry
from kit.messaging.outbox import OutboxEvent
from services.payments.statuses import PaymentStatus


class DisputeResolution(StrEnum):
    """Paystack's known resolutions of a dispute. The column is plain text, because it also stores unknown ones."""

    MERCHANT_ACCEPTED = "merchant-accepted"
    AUTO_ACCEPTED = "auto-accepted"
    DECLINED = "declined"


class DisputeStatus(StrEnum):
    """Paystack's statuses of a dispute."""

    AWAITING_MERCHANT_FEEDBACK = "awaiting-merchant-feedback"
    AWAITING_BANK_FEEDBACK = "awaiting-bank-feedback"
    PENDING = "pending"
    RESOLVED = "resolved"
    ARCHIVED = "archived"


UNPAID = frozenset({PaymentStatus.PENDING, PaymentStatus.FAILED, PaymentStatus.ABANDONED})
"""The statuses of payments that are not known to be paid. Money that still arrives is settled."""

PAID_NOT_FULLY_REFUNDED = frozenset(
    {PaymentStatus.SUCCEEDED, PaymentStatus.HELD, PaymentStatus.PARTIALLY_REFUNDED, PaymentStatus.DISPUTED}
)
"""The statuses of paid payments whose money is not completely refunded."""

SUCCEEDED = frozenset(
    {PaymentStatus.SUCCEEDED, PaymentStatus.PARTIALLY_REFUNDED, PaymentStatus.REFUNDED, PaymentStatus.DISPUTED}
)
"""The statuses of payments that have succeeded at some time. REFUNDED is also the status of those that were refunded while held:
`has_succeeded` excludes them."""


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = TYPES


class AuditLogEntry(AuditEntry, Base):
    """The record of an act."""


class Payment(Base):
    """One attempt to pay for an order, with its own reference at Paystack.

    A successful charge with an unknown reference is stored as a payment too, without an order.
    """

    __tablename__ = "payments"
    __table_args__ = (
        one_of("status", PaymentStatus),
        one_of("held_reason", HeldReason),
        CheckConstraint("amount >= 0", name="amount"),
        CheckConstraint("order_id IS NOT NULL OR status <> 'succeeded'", name="succeeded_has_order"),
        Index(None, "order_id"),
        Index(None, "customer_id", "id"),
        # For lists by status (payment_lists.py): any status may be rare in a part of the table.
        Index(None, "status", "id"),
        Index(
            "ix_payments_to_verify", "verify_next_attempt_at", postgresql_where=text("status IN ('pending', 'failed')")
        ),
        Index(None, "refunds_next_attempt_at", postgresql_where=text("refunds_next_attempt_at IS NOT NULL")),
        Index(None, "card_id", postgresql_where=text("card_id IS NOT NULL")),
        # For customers of programs.
        Index(
            "ix_payments_external_id",
            "customer_external_id",
            "id",
            postgresql_where=text("customer_external_id IS NOT NULL"),
        ),
        Index(
            "ix_payments_program_email",
            "customer_id",
            text("lower(email)"),
            postgresql_where=text("started_by_program"),
        ),
        Index(None, "payout_id", postgresql_where=text("payout_id IS NOT NULL")),
        Index(None, "created_at", postgresql_using="brin"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    reference: Mapped[str] = mapped_column(unique=True)
    order_id: Mapped[UUID | None]
    # The account that pays, or the program that has started the payment for one of its customers.
    customer_id: Mapped[str | None]
    email: Mapped[str | None]
    phone: Mapped[str | None]
    # True if a program has started the payment. E-mail address, phone, and the next two columns are then those of its customer.
    started_by_program: Mapped[bool] = mapped_column(server_default=text("false"))
    customer_name: Mapped[str | None]
    customer_external_id: Mapped[str | None]
    # The saved card that was charged; null if the payer pays on Paystack's page.
    card_id: Mapped[UUID | None] = mapped_column(ForeignKey("cards.id", ondelete="RESTRICT"))
    # `metadata` of the request that started the payment, otherwise that of the order.
    client_metadata: Mapped[dict[str, str]] = mapped_column(server_default=text("'{}'"))
    amount: Mapped[int]
    currency: Mapped[str]
    status: Mapped[PaymentStatus] = mapped_column(text_enum(PaymentStatus), server_default="pending")
    held_reason: Mapped[HeldReason | None] = mapped_column(text_enum(HeldReason))
    authorization_url: Mapped[str | None]
    access_code: Mapped[str | None]
    # The end of the checkout; null if it has no end, its end is not known, or the payment was not started at Paystack.
    payable_until: Mapped[datetime | None]
    callback_url: Mapped[str | None]
    cancel_url: Mapped[str | None]
    # Reported by Paystack.
    paystack_id: Mapped[int | None]
    paid_amount: Mapped[int | None]
    paid_currency: Mapped[str | None]
    fees: Mapped[int | None]
    domain: Mapped[str | None]
    channel: Mapped[str | None]
    gateway_response: Mapped[str | None]
    # Paystack's status of the transaction, as of the last verification or the last change of this payment.
    paystack_status: Mapped[str | None]
    paid_at: Mapped[datetime | None]
    # When the sweeper verifies the payment next, and how many verifications were attempted.
    verify_next_attempt_at: Mapped[datetime]
    verify_attempts: Mapped[int] = mapped_column(server_default=text("0"))
    # The last bank transfer that Paystack rejected: amount, reason, message and at. rejected_transfers has all of them.
    last_rejected_transfer: Mapped[dict[str, Any] | None]
    # The sum of the processed refunds.
    refunded_amount: Mapped[int] = mapped_column(server_default=text("0"))
    # When the refund executor next syncs the refunds of the payment, and when its lease on the payment ends.
    refunds_next_attempt_at: Mapped[datetime | None]
    refunds_leased_until: Mapped[datetime | None]
    refunds_attempts: Mapped[int] = mapped_column(server_default=text("0"))
    # The payout to our bank account that contained the payment.
    payout_id: Mapped[int | None] = mapped_column(ForeignKey("payouts.id", ondelete="RESTRICT"))
    traceparent: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())

    @property
    def customer(self) -> dict[str, str | None] | None:
        """The customer for whom a program has started the payment, otherwise None."""
        if not self.started_by_program:
            return None
        person = {"email": self.email, "name": self.customer_name, "phone": self.phone}
        return {**person, "external_id": self.customer_external_id}

    @property
    def has_succeeded(self) -> bool:
        """True if payment.succeeded was published. A payment that was refunded while it was held keeps its `held_reason`."""
        return self.status in SUCCEEDED and self.held_reason is None

    @property
    def received(self) -> int:
        """The paid amount in subunits of `paid_currency`; 0 while unpaid."""
        return self.paid_amount or 0

    @property
    def refundable(self) -> int:
        """The paid amount minus the processed refunds, in subunits of `paid_currency`. Unfinished refunds are not subtracted."""
        return self.received - self.refunded_amount


HAS_SUCCEEDED = Payment.status.in_(SUCCEEDED) & Payment.held_reason.is_(None)
"""Condition: payments that have succeeded, as `has_succeeded` says."""


class Dispute(Base):
    """A payer's dispute at the bank, as Paystack reports it. `payment_id` is null if the payment is unknown here."""

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

    # Paystack's id of the dispute.
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    payment_id: Mapped[int | None] = mapped_column(ForeignKey("payments.id", ondelete="RESTRICT"))
    reference: Mapped[str | None]
    amount: Mapped[int | None]
    currency: Mapped[str | None]
    category: Mapped[str | None]
    status: Mapped[DisputeStatus] = mapped_column(text_enum(DisputeStatus))
    resolution: Mapped[str | None]
    # True if the payer gets money back; null until the dispute is resolved or archived.
    lost: Mapped[bool | None]
    opened_at: Mapped[datetime]
    due_at: Mapped[datetime]
    resolved_at: Mapped[datetime | None]
    # Our response.
    evidence: Mapped[dict[str, Any] | None]
    evidence_id: Mapped[int | None]
    response_message: Mapped[str | None]
    responded_by: Mapped[str | None]
    # When Paystack last changed the dispute, and when the dispute poller polls it next.
    changed_at: Mapped[datetime | None]
    next_attempt_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())


class CallBudget(Base):
    """The calls to Paystack that all processes together may still make under one limit (a token bucket).

    `granted`: how many calls the last statement granted. It is a column so that the statement can return it.
    """

    __tablename__ = "call_budgets"

    # Paystack's limit per minute. Different calls with equal limits share one row, and so are counted together.
    call_limit: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    # Negative after calls that could not wait.
    tokens: Mapped[float]
    granted: Mapped[int]
    counted_at: Mapped[datetime]
    # Until then, nothing is granted, because Paystack has answered 429.
    paused_until: Mapped[datetime]


class Inbox(InboxEntry, Base):
    """Events received from RabbitMQ; `key` is the event's id."""

    __tablename__ = "inbox"


class OutboxRow(OutboxEvent, Base):
    """Events that are not published yet."""


class IdempotencyKey(LockedKey, Base):
    """Idempotency keys with their stored responses."""
