"""The tables of catalog. Money is subunits of `currency`; times are UTC."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, Computed, ForeignKey, Index, MetaData, Text, func, text
from sqlalchemy.dialects.postgresql import ARRAY, TSVECTOR
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from kit.db.engine import NAMING, TYPES
from kit.idempotency.keys import StoredKey
from kit.messaging.inbox import InboxEntry
from kit.messaging.outbox import OutboxEvent

STATUSES = ("pending", "paid", "delivered", "cancelled", "expired", "refunded")
OUTCOMES = ("awaited", "delivered", "undeliverable", "refunded")

PARTING = "/.@_-"
# Both as it is written and by its English stem, so that a search finds what is half typed and what is inflected. What Postgres would
# read as one path, host or number (`wireless/mouse`, `v2.0`) is parted into words first.
_SEARCHED = f"translate(name || ' ' || description, '{PARTING}', '{' ' * len(PARTING)}')"
SEARCH = f"to_tsvector('simple', {_SEARCHED}) || to_tsvector('english', {_SEARCHED})"


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = TYPES


class Category(Base):
    __tablename__ = "categories"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Product(Base):
    """`stock` is what can still be ordered: what orders have reserved is gone from it. None: unlimited."""

    __tablename__ = "products"
    __table_args__ = (
        CheckConstraint("price > 0", name="price"),
        CheckConstraint("stock >= 0", name="stock"),
        Index(None, "category_id"),
        Index(None, "created_at", "id"),
        Index(None, "price", "id"),
        Index("ix_products_name", text("lower(name)"), "id"),
        Index(None, "tags", postgresql_using="gin"),
        Index(None, "search", postgresql_using="gin"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    description: Mapped[str] = mapped_column(server_default="")
    price: Mapped[int]
    currency: Mapped[str]
    stock: Mapped[int | None]
    category_id: Mapped[UUID | None] = mapped_column(ForeignKey("categories.id", ondelete="RESTRICT"))
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    search: Mapped[Any] = mapped_column(TSVECTOR, Computed(SEARCH, persisted=True), nullable=False)


class Order(Base):
    """`payment_reference` is the payment that settled it; further payments for it are given back."""

    __tablename__ = "orders"
    __table_args__ = (
        CheckConstraint(f"status IN {STATUSES}", name="status"),
        CheckConstraint("amount > 0", name="amount"),
        Index(None, "customer_id", "created_at", "id"),
        Index(None, "expires_at", postgresql_where=text("status = 'pending'")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    customer_id: Mapped[str]
    status: Mapped[str] = mapped_column(server_default="pending")
    amount: Mapped[int]
    currency: Mapped[str]
    payment_reference: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]


class OrderItem(Base):
    """What was ordered, at the price and under the name of that moment. `reserved`: its quantity has left the product's stock."""

    __tablename__ = "order_items"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="quantity"),
        Index(None, "product_id"),
    )

    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id", ondelete="CASCADE"), primary_key=True)
    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.id", ondelete="RESTRICT"), primary_key=True)
    position: Mapped[int]
    name: Mapped[str]
    slug: Mapped[str]
    quantity: Mapped[int]
    unit_price: Mapped[int]
    reserved: Mapped[bool]


class Delivery(Base):
    """The items of an order, handed over: once for an order, once for a payment, whatever comes twice."""

    __tablename__ = "deliveries"

    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id", ondelete="RESTRICT"), primary_key=True)
    payment_reference: Mapped[str] = mapped_column(unique=True)
    delivered_at: Mapped[datetime] = mapped_column(server_default=func.now())


class OrderPayment(Base):
    """What became of each payment that events told of, so that they may come twice and in any order.

    `awaited`: a refund came before the payment itself. There is no foreign key: a payment may name an order that is none of ours.
    """

    __tablename__ = "order_payments"
    __table_args__ = (
        CheckConstraint(f"outcome IN {OUTCOMES}", name="outcome"),
        Index(None, "order_id"),
    )

    reference: Mapped[str] = mapped_column(primary_key=True)
    order_id: Mapped[UUID]
    outcome: Mapped[str]
    refunded_amount: Mapped[int] = mapped_column(server_default=text("0"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class UndeliverablePayment(Base):
    """A payment that could not be delivered for, as order.undeliverable told it. Never changed."""

    __tablename__ = "undeliverable_payments"
    __table_args__ = (Index(None, "told_at", "reference"),)

    reference: Mapped[str] = mapped_column(primary_key=True)
    order_id: Mapped[UUID]
    amount: Mapped[int]
    currency: Mapped[str]
    reason: Mapped[str]
    told_at: Mapped[datetime] = mapped_column(server_default=func.now())


class OutboxRow(OutboxEvent, Base):
    """Events on their way to the broker."""


class InboxRow(InboxEntry, Base):
    """Events that came from the broker."""

    __tablename__ = "inbox"


class IdempotencyKey(StoredKey, Base):
    """Answers kept for whoever asks twice."""
