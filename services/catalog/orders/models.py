"""The tables of orders that only this folder uses."""

from sqlalchemy import ForeignKey
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
