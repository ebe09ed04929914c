"""The tables of what belongs to an order: statuses, notes, address, fulfilments, delivery and payments."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from kit.db.columns import one_of, text_enum
from services.catalog.models import Base
from services.catalog.statuses import FulfilmentStep, OrderStatus, PaymentOutcome


class OrderStatusRow(Base):
    """A status that an order can have. The rows equal the members of OrderStatus; only migrations change them."""

    __tablename__ = "order_statuses"

    status: Mapped[OrderStatus] = mapped_column(text_enum(OrderStatus), primary_key=True)


class OrderStatusTransition(Base):
    """An allowed change of an order's status. The rows equal ORDER_TRANSITIONS; only migrations change them.

    orders has no foreign key to order_statuses: every new order would lock the row of `pending`.
    """

    __tablename__ = "order_status_transitions"

    from_status: Mapped[OrderStatus] = mapped_column(
        text_enum(OrderStatus), ForeignKey("order_statuses.status", ondelete="RESTRICT"), primary_key=True
    )
    to_status: Mapped[OrderStatus] = mapped_column(
        text_enum(OrderStatus), ForeignKey("order_statuses.status", ondelete="RESTRICT"), primary_key=True, index=True
    )


class OrderNote(Base):
    """A note of staff or of the payments service about an order. A trigger refuses changes of rows. They are deleted with their order.

    `event_id`: the id of the event that the payments service published, so that a repeated event adds no second note; null
    for a note of staff.
    """

    __tablename__ = "order_notes"
    __table_args__ = (Index(None, "order_id", "id"),)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id", ondelete="CASCADE"))
    author: Mapped[str]
    text: Mapped[str]
    event_id: Mapped[UUID | None] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class OrderAddress(Base):
    """The address to which an order is shipped, until it is erased (orders/addresses.py). Digital orders have none."""

    __tablename__ = "order_addresses"
    __table_args__ = (Index(None, "created_at"),)

    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str]
    lines: Mapped[list[str]] = mapped_column(JSONB)
    city: Mapped[str]
    region: Mapped[str | None]
    postal_code: Mapped[str | None]
    country: Mapped[str]
    phone: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Fulfilment(Base):
    """A step that staff recorded for units of a paid order: packed, shipped or delivered. `items`: quantity by variant id."""

    __tablename__ = "fulfilments"
    __table_args__ = (
        one_of("step", FulfilmentStep),
        Index(None, "order_id", "id"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id", ondelete="CASCADE"))
    step: Mapped[FulfilmentStep] = mapped_column(text_enum(FulfilmentStep))
    items: Mapped[dict[str, int]]
    tracking: Mapped[str | None]
    """The number at the carrier. It leads to the address, so it is erased with it."""
    actor: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Delivery(Base):
    """The delivery of all items of an order. The unique keys allow one for each order and for each payment, even if events are repeated.

    An order of amount 0 is delivered without a payment.
    """

    __tablename__ = "deliveries"
    __table_args__ = (Index(None, "delivered_at", "order_id"),)

    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id", ondelete="RESTRICT"), primary_key=True)
    payment_reference: Mapped[str | None] = mapped_column(unique=True)
    delivered_at: Mapped[datetime] = mapped_column(server_default=func.now())


class OrderPayment(Base):
    """A payment that events have reported, and its outcome, so that events may be repeated and arrive in any sequence.

    There is no foreign key to orders, because the order may not exist in catalog.
    """

    __tablename__ = "order_payments"
    __table_args__ = (
        one_of("outcome", PaymentOutcome),
        CheckConstraint("(other_currency IS NULL) = (refunded_in_other_currency = 0)", name="other_currency"),
        Index(None, "order_id"),
    )

    reference: Mapped[str] = mapped_column(primary_key=True)
    order_id: Mapped[UUID]
    outcome: Mapped[PaymentOutcome] = mapped_column(text_enum(PaymentOutcome))
    refunded_amount: Mapped[int] = mapped_column(server_default=text("0"))
    """How much of the order's amount was refunded. Refunds in another currency are not counted here."""
    refunded_in_other_currency: Mapped[int] = mapped_column(server_default=text("0"))
    """What was refunded of a payment in another currency than that of the order, in subunits of `other_currency`."""
    other_currency: Mapped[str | None]
    fully_refunded: Mapped[bool] = mapped_column(server_default=text("false"))
    dispute_lost: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
