"""The tables of orders that only this folder uses."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Identity, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from kit.db.columns import text_enum
from services.catalog.models import Base
from services.catalog.statuses import OrderStatus


class OrderStatusRow(Base):
    """A status of orders: the same as the members of OrderStatus. Only migrations change the rows."""

    __tablename__ = "order_statuses"

    status: Mapped[OrderStatus] = mapped_column(text_enum(OrderStatus), primary_key=True)


class OrderStatusTransition(Base):
    """An allowed change of an order's status: the same as ORDER_TRANSITIONS. Only migrations change the rows.

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
    """A note of staff about an order. Rows are never changed: a trigger refuses it. They are deleted together with their order."""

    __tablename__ = "order_notes"
    __table_args__ = (Index(None, "order_id", "id"),)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id", ondelete="CASCADE"))
    author: Mapped[str]
    text: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
