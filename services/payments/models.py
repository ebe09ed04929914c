"""The tables of payments. Money is subunits of `currency`; times are UTC."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, MetaData, UniqueConstraint, func, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from kit.db.engine import NAMING, TYPES
from kit.idempotency.long_running import LockedKey
from kit.messaging.inbox import InboxEntry
from kit.messaging.outbox import OutboxEvent

STATUSES = ("pending", "succeeded", "failed", "abandoned", "held", "partially_refunded", "refunded", "disputed")

UNPAID = frozenset({"pending", "failed", "abandoned"})
"""No money is known to have come, and it may come yet."""

MOVEMENTS = (
    "received",
    "fee",
    "accepted",
    "bound",
    "refunded",
    "disputed",
    "dispute_won",
    "dispute_lost",
    "settled",
)

REFUND_STATUSES = ("requested", "pending", "processing", "processed", "failed", "needs-attention")

DISPUTE_STATUSES = ("awaiting-merchant-feedback", "awaiting-bank-feedback", "pending", "resolved", "archived")


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


class Refund(Base):
    """Money on its way back to the payer. `requested` is not told to Paystack yet; the other statuses are Paystack's words."""

    __tablename__ = "refunds"
    __table_args__ = (
        CheckConstraint(f"status IN {REFUND_STATUSES}", name="status"),
        CheckConstraint("amount > 0", name="amount"),
        Index(None, "payment_id", "number"),
        Index("ix_refunds_unfinished", "status", "number", postgresql_where=text("status <> 'processed'")),
    )

    number: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    id: Mapped[UUID] = mapped_column(unique=True, default=uuid4)
    payment_id: Mapped[int] = mapped_column(ForeignKey("payments.id", ondelete="RESTRICT"))
    # The lost dispute that gives it back: one refund each.
    dispute_id: Mapped[int | None] = mapped_column(ForeignKey("disputes.id", ondelete="RESTRICT"), unique=True)
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


class Dispute(Base):
    """A payer's complaint at the bank, as Paystack tells it. `payment_id` is empty where it is about money that we know nothing of."""

    __tablename__ = "disputes"
    __table_args__ = (
        CheckConstraint(f"status IN {DISPUTE_STATUSES}", name="status"),
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
    status: Mapped[str]
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


class Card(Base):
    """A payer's right to be charged again, never the card itself. A forgotten one keeps its signature only: late notices do not revive it.

    The authorization code is of use to nobody without our secret key; all the same it goes into no answer and no log.
    """

    __tablename__ = "cards"
    __table_args__ = (
        UniqueConstraint("payer_id", "domain", "signature"),
        CheckConstraint("deactivated_at IS NOT NULL OR authorization_code IS NOT NULL", name="usable_or_forgotten"),
        Index(None, "next_attempt_at", postgresql_where=text("next_attempt_at IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    payer_id: Mapped[str]
    domain: Mapped[str]
    signature: Mapped[str]
    authorization_code: Mapped[str | None]
    # Of the payment that left it: Paystack charges it with no other.
    email: Mapped[str | None]
    last4: Mapped[str | None]
    brand: Mapped[str | None]
    exp_month: Mapped[int | None]
    exp_year: Mapped[int | None]
    bank: Mapped[str | None]
    # When the newest payment that told of it was started.
    seen_at: Mapped[datetime]
    deactivated_at: Mapped[datetime | None]
    # When Paystack is to be told that it is forgotten.
    next_attempt_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Payout(Base):
    """What Paystack paid out to our bank (it says settlement; here that word is taken). `amount` is what arrived."""

    __tablename__ = "payouts"

    # Paystack's.
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    amount: Mapped[int]
    fees: Mapped[int]
    currency: Mapped[str]
    paid_out_at: Mapped[datetime]
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.now())


class LedgerTransaction(Base):
    """One movement of money, under the business key that makes it happen once. Triggers refuse changes, and what does not balance."""

    __tablename__ = "ledger_transactions"
    __table_args__ = (
        CheckConstraint(f"kind IN {MOVEMENTS}", name="kind"),
        Index(None, "payment_id"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    payment_id: Mapped[int | None] = mapped_column(ForeignKey("payments.id", ondelete="RESTRICT"))
    occurred_at: Mapped[datetime]


class LedgerEntry(Base):
    """One side of a movement: into the account where `amount` is positive, out of it where it is negative."""

    __tablename__ = "ledger_entries"
    __table_args__ = (
        CheckConstraint("amount <> 0", name="amount"),
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
    account: Mapped[str]
    currency: Mapped[str]
    amount: Mapped[int]
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.now())


class WebhookEvent(InboxEntry, Base):
    """What Paystack sent, as it came. `key` is the SHA-256 of the body; what is in it is known when it is settled.

    `identity` is what all deliveries of one happening share (kinds.py); a backfill asks by it whether one is held.
    """

    __tablename__ = "webhook_events"

    event: Mapped[str | None]
    reference: Mapped[str | None]
    outcome: Mapped[str | None]
    identity: Mapped[str | None]


Index(None, WebhookEvent.identity)
Index(None, WebhookEvent.reference, postgresql_where=WebhookEvent.reference.is_not(None))
# Nearly all are charge.success: those are found by going through all.
Index(None, WebhookEvent.event, WebhookEvent.id, postgresql_where=text("event <> 'charge.success'"))


class BackfillState(Base):
    """The one row that says how far the backfill has come: everything that happened before `reached` is held here."""

    __tablename__ = "backfill_state"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    reached: Mapped[datetime | None]
    # The last run, and who runs now.
    ran_at: Mapped[datetime | None]
    seen: Mapped[int] = mapped_column(server_default=text("0"))
    stored: Mapped[int] = mapped_column(server_default=text("0"))
    leased_until: Mapped[datetime | None]
    holder: Mapped[str | None]


class Inbox(InboxEntry, Base):
    """Events taken from the broker; `key` is the event's id."""

    __tablename__ = "inbox"


class OutboxRow(OutboxEvent, Base):
    """Events on their way to the broker."""


class IdempotencyKey(LockedKey, Base):
    """Answers kept for whoever asks twice."""
