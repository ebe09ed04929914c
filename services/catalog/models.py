"""The base class of catalog's tables, and the tables that several folders use. Money is in subunits of `currency`; times are UTC.

Orders and their items are in order_models.py.
"""

from datetime import datetime
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
from services.catalog.search_vectors import PRODUCT_SEARCH_VECTOR
from services.catalog.statuses import ProductKind, ProductStatus

CURRENCY_CODE = "currency ~ '^[A-Z]{3}$'"
"""The condition for a column with an ISO 4217 code."""

NAME_KEY = '"left"(lower(name), 80)'
"""The key of the sort by name. It is short, so that a cursor with it is short in every script."""


class Base(DeclarativeBase):
    """The base class of all tables of catalog."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = TYPES


class AuditLogEntry(AuditEntry, Base):
    """The record of an act."""


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
    """A label of products, in lower case.

    `merged_ids` has the ids of the tags that were merged into it: products may still have them in `tag_ids`.
    """

    __tablename__ = "tags"
    __table_args__ = (CheckConstraint("name <> ''", name="name"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    name: Mapped[str] = mapped_column(unique=True)
    merged_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), server_default=text("'{}'"))
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
    """A product. Its stock is that of its variants; at most `low_stock` units count as low stock."""

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
    media: Mapped[list[dict[str, str | None]]] = mapped_column(JSONB, server_default=text("'[]'"))
    """Links to pictures and videos, in sequence: `url` and `alt`."""
    options: Mapped[list[str]] = mapped_column(JSONB, server_default=text("'[]'"))
    """The names of the options, such as `size`. Without options, the product has one variant with its id."""
    tag_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), server_default=text("'{}'"))
    """The ids of the tags, for the index of the search: a trigger copies them from the link table. Ids of deleted tags may remain."""
    version: Mapped[int] = mapped_column(server_default=text("1"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    search: Mapped[str] = mapped_column(
        TSVECTOR,
        Computed(PRODUCT_SEARCH_VECTOR, persisted=True),
        nullable=False,
        deferred=True,
        deferred_raiseload=True,
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

    `prices` has the prices by currency. Without a price in the product's currency, the product's price applies.
    """

    __tablename__ = "variants"
    __table_args__ = (UniqueConstraint("product_id", "options"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.id", ondelete="CASCADE"))
    sku: Mapped[str | None] = mapped_column(unique=True)
    options: Mapped[dict[str, str]] = mapped_column(server_default=text("'{}'"))
    prices: Mapped[dict[str, int]] = mapped_column(server_default=text("'{}'"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    product: Mapped[Product] = relationship(back_populates="variants", lazy="raise")


class OutboxRow(OutboxEvent, Base):
    """Events that wait to be published."""


class InboxRow(InboxEntry, Base):
    """Events that were consumed."""

    __tablename__ = "inbox"


class IdempotencyKey(StoredKey, Base):
    """Idempotency keys and their stored responses."""
