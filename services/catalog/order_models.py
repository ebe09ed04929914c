"""The tables of orders and their items, which stock/ uses too. Money is in subunits of `currency`; times are UTC."""

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, Computed, ForeignKey, Index, func, text
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column, relationship

from kit.db.columns import one_of, text_enum
from services.catalog.models import CURRENCY_CODE, Base, Product, Variant
from services.catalog.search_vectors import ORDER_SEARCH_VECTOR
from services.catalog.statuses import OrderStatus, ProductKind, StockState


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
        Index(
            "ix_orders_external_id",
            "customer_external_id",
            "created_at",
            "id",
            postgresql_where=text("customer_external_id IS NOT NULL"),
        ),
        Index(None, "search", postgresql_using="gin", postgresql_with={"fastupdate": "off"}),
        # For background jobs and limits.
        Index(None, "expires_at", postgresql_where=text("status = 'pending'")),
        Index(
            "ix_orders_never_paid",
            "expires_at",
            postgresql_where=text("status IN ('expired', 'cancelled') AND payment_reference IS NULL"),
        ),
        Index("ix_orders_pending", "customer_id", postgresql_where=text("status = 'pending'")),
        Index(
            "ix_orders_pending_of_programs",
            "customer_id",
            text("coalesce('id ' || customer_external_id, lower(customer_email))"),
            postgresql_where=text("status = 'pending' AND placed_by_program"),
        ),
        Index(
            "ix_orders_pending_guests",
            "guest_limit_address",
            postgresql_where=text("status = 'pending' AND guest_limit_address IS NOT NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    number: Mapped[str] = mapped_column(unique=True)
    """A short random number for people (orders/numbers.py)."""
    customer_id: Mapped[str]
    """The account that placed the order, or into which it was merged if it was a guest; or the program that placed the order."""
    customer_email: Mapped[str | None]
    """From the token with which the order was placed, until the account is changed or deleted. NULL for a guest and after a deletion."""
    customer_name: Mapped[str | None]
    customer_phone: Mapped[str | None]
    """This and the next column: of the customer for whom a program placed the order. NULL for an account, and after they were erased."""
    customer_external_id: Mapped[str | None]
    placed_by_program: Mapped[bool] = mapped_column(server_default=text("false"))
    """True if a program placed the order for one of its customers. E-mail address and name are then those of that customer."""
    guest_limit_address: Mapped[str | None]
    """The limit address of a guest, an IPv4 address or IPv6 /64 network, while the order is pending (orders/limits.py); otherwise NULL."""
    customer_changed_at: Mapped[datetime | None]
    """When auth changed the account to the e-mail address and name that the order has; NULL if they are those of the token."""
    status: Mapped[OrderStatus] = mapped_column(text_enum(OrderStatus), server_default=OrderStatus.PENDING.value)
    needs_fulfilment: Mapped[bool] = mapped_column(server_default=text("false"))
    """True if at least one item is not digital: the paid order then waits for staff."""
    amount: Mapped[int]
    currency: Mapped[str]
    payment_reference: Mapped[str | None]
    cancel_reason: Mapped[str | None]
    """Why the order was cancelled; customers see it."""
    client_metadata: Mapped[dict[str, str]] = mapped_column(server_default=text("'{}'"))
    """`metadata` of the request that placed the order: texts by name."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    """The end of the reservation of a pending order. Payments extend it (orders/reservations.py)."""
    first_expires_at: Mapped[datetime | None]
    """`expires_at` without payments; NULL if no payment was started."""
    payment_ends: Mapped[dict[str, str | None]] = mapped_column(JSONB, server_default=text("'{}'"))
    """Until when each payment can be completed, by reference; null for one that has failed or was abandoned."""
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
    """One variant of an order, with its price, name and kind at the time of the order.

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
    options: Mapped[dict[str, str]] = mapped_column(server_default=text("'{}'"))
    quantity: Mapped[int]
    unit_price: Mapped[int]
    stock_state: Mapped[StockState] = mapped_column(text_enum(StockState), server_default=StockState.UNLIMITED.value)
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
