"""The base class of catalog's tables, and the tables that several folders use. Money is in subunits of `currency`; times are UTC."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    Computed,
    ForeignKey,
    Identity,
    Index,
    MetaData,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from kit.audit.entries import AuditEntry
from kit.db.columns import one_of, text_enum
from kit.db.engine import NAMING, TYPES
from kit.idempotency.keys import StoredKey
from kit.messaging.inbox import InboxEntry
from kit.messaging.outbox import OutboxEvent
from services.catalog.statuses import (
    FulfilmentStep,
    OrderStatus,
    PaymentOutcome,
    ProductKind,
    ProductStatus,
    StockState,
)

WORD_SEPARATORS = "/.@_-<>&"
"""These characters are replaced by spaces before indexing. Postgres would index `wireless/mouse` or `v2.0` as one path or host name."""

CURRENCY_CODE = "currency ~ '^[A-Z]{3}$'"
"""The condition for a column with an ISO 4217 code."""

_MARKS = "[\\u0300-\\u036f\\u0640\\u064b-\\u065f\\u0670]"
"""Accents, the marks below letters of Yoruba and Igbo, and the vowel marks of Arabic, as Unicode's decomposition separates them."""

BUCKET_BITS = (12, 14, 16, 18, 20)
_BUCKETS = ", ".join(f"'#{bits}:' || (number >> {bits})" for bits in BUCKET_BITS)
"""Each product has the tokens of its blocks of 4,096, 16,384, … products with consecutive numbers. A search for a word and the newest
blocks finds the newest products with the word in the index."""


def searched(text: str) -> str:
    """Return the SQL expression that prepares a text for the search: Unicode's normal forms, accents and separators do not matter."""
    plain = f"normalize(regexp_replace(normalize({text}, NFKD), '{_MARKS}', '', 'g'), NFC)"
    return f"translate({plain}, '{WORD_SEPARATORS}', '{' ' * len(WORD_SEPARATORS)}')"


# Each word and its English stem, so that a search finds beginnings of words and inflected words. The weights: words of the name, words of
# the description, stems of the name, stems of the description.
SEARCH_VECTOR = (
    f"setweight(to_tsvector('shop_words', {searched('name')}), 'A')"
    f" || setweight(to_tsvector('shop_words', {searched('description')}), 'B')"
    f" || setweight(to_tsvector('shop_stems', {searched('name')}), 'C')"
    f" || setweight(to_tsvector('shop_stems', {searched('description')}), 'D')"
    f" || array_to_tsvector(ARRAY[{_BUCKETS}])"
)
NAME_KEY = '"left"(lower(name), 80)'
"""The key of the sort by name. It is short, so that a cursor with it is short in every script."""

_CUSTOMER = "number || ' ' || coalesce(customer_name, '') || ' ' || coalesce(customer_email, '')"
ORDER_SEARCH_VECTOR = (
    f"to_tsvector('simple', translate({_CUSTOMER}, '{WORD_SEPARATORS}', '{' ' * len(WORD_SEPARATORS)}'))"
)


class Base(DeclarativeBase):
    """The base class of all tables of catalog."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = TYPES


class AuditLogEntry(AuditEntry, Base):
    """An act of an operator or administrator."""


class Category(Base):
    """A group of products, and a node of a tree: `parent_id` is NULL for a category at the top.

    A category with subcategories cannot be deleted. `version` counts the changes.
    """

    __tablename__ = "categories"
    __table_args__ = (
        CheckConstraint("parent_id <> id", name="parent_id"),
        CheckConstraint("name <> ''", name="name"),
        Index(None, "parent_id", "slug"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    parent_id: Mapped[UUID | None] = mapped_column(ForeignKey("categories.id", ondelete="RESTRICT"))
    version: Mapped[int] = mapped_column(server_default=text("1"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    parent: Mapped["Category | None"] = relationship(back_populates="children", remote_side="Category.id", lazy="raise")
    children: Mapped[list["Category"]] = relationship(
        back_populates="parent", order_by="Category.slug", lazy="raise", passive_deletes="all"
    )
    products: Mapped[list["Product"]] = relationship(back_populates="category", lazy="raise", passive_deletes=True)


class Tag(Base):
    """A label of products, in lower case. `merged` has the ids of the tags that were merged into it: products may still have them."""

    __tablename__ = "tags"
    __table_args__ = (CheckConstraint("name <> ''", name="name"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    name: Mapped[str] = mapped_column(unique=True)
    merged: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), server_default=text("'{}'"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    products: Mapped[list["Product"]] = relationship(
        secondary="product_tags", back_populates="tags", lazy="raise", passive_deletes=True
    )


class ProductTag(Base):
    """The link table of products and tags. `position` keeps the sequence in which the tags of a product were given."""

    __tablename__ = "product_tags"
    __table_args__ = (Index(None, "tag_id", "product_id"),)

    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.id", ondelete="CASCADE"), primary_key=True)
    tag_id: Mapped[UUID] = mapped_column(ForeignKey("tags.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(Identity(always=True))


class Product(Base):
    """A product. Its stock is that of its variants; `low_stock` is the number of units from which on the stock counts as low."""

    __tablename__ = "products"
    __table_args__ = (
        one_of("status", ProductStatus),
        one_of("kind", ProductKind),
        CheckConstraint("price >= 0", name="price"),
        CheckConstraint(CURRENCY_CODE, name="currency"),
        CheckConstraint("name <> ''", name="name"),
        CheckConstraint("low_stock >= 0", name="low_stock"),
        Index(None, "category_id", "status", "number"),
        Index(None, "status", "number"),
        Index(None, "status", "currency", "price", "number"),
        Index("ix_products_name", "status", text(NAME_KEY), "number"),
        Index(
            "ix_products_search",
            "search",
            "tag_ids",
            postgresql_using="gin",
            postgresql_with={"gin_pending_list_limit": 512},
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    number: Mapped[int] = mapped_column(Identity(always=True), unique=True)
    """Products are numbered in the sequence in which they are created: the newest one has the greatest number."""
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    description: Mapped[str] = mapped_column(server_default="")
    status: Mapped[ProductStatus] = mapped_column(text_enum(ProductStatus), server_default=ProductStatus.ACTIVE.value)
    kind: Mapped[ProductKind] = mapped_column(text_enum(ProductKind), server_default=ProductKind.DIGITAL.value)
    price: Mapped[int]
    currency: Mapped[str]
    low_stock: Mapped[int] = mapped_column(server_default=text("5"))
    category_id: Mapped[UUID | None] = mapped_column(ForeignKey("categories.id", ondelete="SET NULL"))
    media: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=text("'[]'"))
    """Links to pictures and videos, in sequence: `url` and `alt`."""
    options: Mapped[list[str]] = mapped_column(JSONB, server_default=text("'[]'"))
    """The names of the options, such as `size`. Without options, the product has one variant with its id."""
    tag_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), server_default=text("'{}'"))
    """The ids of the tags, for the index of the search: a trigger copies them from the link table. Ids of deleted tags may remain."""
    version: Mapped[int] = mapped_column(server_default=text("1"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    search: Mapped[str] = mapped_column(
        TSVECTOR, Computed(SEARCH_VECTOR, persisted=True), nullable=False, deferred=True, deferred_raiseload=True
    )

    category: Mapped[Category | None] = relationship(back_populates="products", lazy="raise")
    tags: Mapped[list[Tag]] = relationship(
        secondary="product_tags",
        back_populates="products",
        order_by=ProductTag.position,
        lazy="raise",
        passive_deletes=True,
    )
    variants: Mapped[list["Variant"]] = relationship(
        back_populates="product", cascade="all, delete-orphan", lazy="raise", passive_deletes=True
    )


class Variant(Base):
    """What is ordered: a product without options has one variant, with the id of the product.

    `prices` has the prices by currency; in the currency of the product, its price applies if there is none.
    """

    __tablename__ = "variants"
    __table_args__ = (UniqueConstraint("product_id", "options"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.id", ondelete="CASCADE"))
    sku: Mapped[str | None] = mapped_column(unique=True)
    options: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    prices: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    product: Mapped[Product] = relationship(back_populates="variants", lazy="raise")


class StockLevel(Base):
    """The stock of a variant (stock/levels.py). A variant without a level is unlimited.

    `reserved` can be greater than `on_hand`: after a count, or up to `backorder_limit`. Each page keeps free space for new versions of
    its rows, and no index has a column that changes, so an update writes no index entry (a HOT update).
    """

    __tablename__ = "stock_levels"
    __table_args__ = (
        CheckConstraint("on_hand >= 0", name="on_hand"),
        CheckConstraint("reserved >= 0", name="reserved"),
        CheckConstraint("backorder_limit >= 0", name="backorder_limit"),
        {"postgresql_with": {"fillfactor": 70}},
    )

    variant_id: Mapped[UUID] = mapped_column(ForeignKey("variants.id", ondelete="CASCADE"), primary_key=True)
    on_hand: Mapped[int] = mapped_column(server_default=text("0"))
    reserved: Mapped[int] = mapped_column(server_default=text("0"))
    backorder_limit: Mapped[int] = mapped_column(server_default=text("0"))


class Order(Base):
    """An order. `payment_reference` identifies the payment that paid for the order. Other payments for the order are refunded.

    A trigger refuses a change of `status` that is no row of order_status_transitions.
    """

    __tablename__ = "orders"
    __table_args__ = (
        one_of("status", OrderStatus),
        CheckConstraint("amount >= 0", name="amount"),
        CheckConstraint(CURRENCY_CODE, name="currency"),
        # For lists (orders/positions.py).
        Index(None, "created_at", "id"),
        Index(None, "customer_id", "created_at", "id"),
        Index(None, "status", "created_at", "id"),
        Index(None, "amount", "created_at", "id"),
        Index("ix_orders_customer_email", text("lower(customer_email)"), "created_at", "id"),
        Index(None, "search", postgresql_using="gin", postgresql_with={"fastupdate": "off"}),
        # For background jobs and limits.
        Index(None, "expires_at", postgresql_where=text("status = 'pending'")),
        Index(
            "ix_orders_unpaid",
            "expires_at",
            postgresql_where=text("status IN ('expired', 'cancelled') AND payment_reference IS NULL"),
        ),
        Index("ix_orders_pending", "customer_id", postgresql_where=text("status = 'pending'")),
        Index(
            "ix_orders_pending_guests",
            "guest_network",
            postgresql_where=text("status = 'pending' AND guest_network IS NOT NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    number: Mapped[str] = mapped_column(unique=True)
    """A short random number for people (orders/numbers.py)."""
    customer_id: Mapped[str]
    """The account that placed the order, or the account into which that guest was merged."""
    customer_email: Mapped[str | None]
    """From the token with which the order was placed, until the account is changed or deleted. NULL for a guest and after a deletion."""
    customer_name: Mapped[str | None]
    guest_network: Mapped[str | None]
    """The network address of a guest, while the order is pending (orders/limits.py); otherwise NULL."""
    customer_changed_at: Mapped[datetime | None]
    """When auth made the change of the account that the order has; NULL if the data are those of the token."""
    status: Mapped[OrderStatus] = mapped_column(text_enum(OrderStatus), server_default=OrderStatus.PENDING.value)
    needs_fulfilment: Mapped[bool] = mapped_column(server_default=text("false"))
    """True if at least one item is not digital: the paid order then waits for staff."""
    amount: Mapped[int]
    currency: Mapped[str]
    payment_reference: Mapped[str | None]
    cancel_reason: Mapped[str | None]
    """Why the order was cancelled; customers see it."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    search: Mapped[str] = mapped_column(
        TSVECTOR, Computed(ORDER_SEARCH_VECTOR, persisted=True), nullable=False, deferred=True, deferred_raiseload=True
    )

    items: Mapped[list["OrderItem"]] = relationship(
        back_populates="order",
        order_by="OrderItem.position",
        cascade="all, delete-orphan",
        lazy="raise",
        passive_deletes=True,
    )


class OrderItem(Base):
    """One product of an order, with its price, name and kind at the time of the order.

    `packed`, `shipped` and `delivered` are numbers of units; a delivered unit counts in all three. In an order of digital items only, they
    stay 0: the row in `deliveries` says that everything is delivered, so a delivery does not write to the items. `restocked` is the number
    of sold units that a refund has put back into the stock.
    """

    __tablename__ = "order_items"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="quantity"),
        CheckConstraint("unit_price >= 0", name="unit_price"),
        CheckConstraint("name <> ''", name="name"),
        CheckConstraint("0 <= delivered AND delivered <= shipped AND shipped <= packed", name="steps"),
        CheckConstraint("0 <= restocked AND packed <= quantity AND shipped + restocked <= quantity", name="units"),
        one_of("kind", ProductKind),
        one_of("stock_state", StockState),
        Index(None, "product_id", "created_at", "order_id"),
        Index(None, "variant_id"),
        Index("ix_order_items_reserved", "variant_id", postgresql_where=text("stock_state = 'reserved'")),
    )

    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id", ondelete="CASCADE"), primary_key=True)
    variant_id: Mapped[UUID] = mapped_column(ForeignKey("variants.id", ondelete="RESTRICT"), primary_key=True)
    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.id", ondelete="RESTRICT"))
    position: Mapped[int]
    name: Mapped[str]
    slug: Mapped[str]
    sku: Mapped[str | None]
    options: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    quantity: Mapped[int]
    unit_price: Mapped[int]
    stock_state: Mapped[StockState] = mapped_column(text_enum(StockState), server_default=StockState.UNTRACKED.value)
    kind: Mapped[ProductKind] = mapped_column(text_enum(ProductKind), server_default=ProductKind.DIGITAL.value)
    packed: Mapped[int] = mapped_column(server_default=text("0"))
    shipped: Mapped[int] = mapped_column(server_default=text("0"))
    delivered: Mapped[int] = mapped_column(server_default=text("0"))
    restocked: Mapped[int] = mapped_column(server_default=text("0"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    """The same as that of the order, for lists of the orders of a product."""

    order: Mapped[Order] = relationship(back_populates="items", lazy="raise")
    product: Mapped[Product] = relationship(lazy="raise")
    variant: Mapped[Variant] = relationship(lazy="raise")


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
    """A step of staff with units of a paid order: packed, shipped or delivered. `items`: quantity by variant id."""

    __tablename__ = "fulfilments"
    __table_args__ = (
        one_of("step", FulfilmentStep),
        Index(None, "order_id", "id"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id", ondelete="CASCADE"))
    step: Mapped[FulfilmentStep] = mapped_column(text_enum(FulfilmentStep))
    items: Mapped[dict[str, Any]]
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
    """A payment that events have reported, and its outcome, so that events may be repeated and arrive in any order.

    There is no foreign key to orders, because the order may not exist in catalog.
    """

    __tablename__ = "order_payments"
    __table_args__ = (
        one_of("outcome", PaymentOutcome),
        Index(None, "order_id"),
    )

    reference: Mapped[str] = mapped_column(primary_key=True)
    order_id: Mapped[UUID]
    outcome: Mapped[PaymentOutcome] = mapped_column(text_enum(PaymentOutcome))
    refunded_amount: Mapped[int] = mapped_column(server_default=text("0"))
    dispute_lost: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class OutboxRow(OutboxEvent, Base):
    """Events that wait to be published."""


class InboxRow(InboxEntry, Base):
    """Events that were consumed."""

    __tablename__ = "inbox"


class IdempotencyKey(StoredKey, Base):
    """Idempotency keys and their stored responses."""
