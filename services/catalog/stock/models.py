"""The tables of the stock and its history."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from kit.db.columns import one_of, text_enum
from services.catalog.models import Base
from services.catalog.statuses import StockMovementKind


class StockLevel(Base):
    """The stock of a variant (stock/levels.py). A variant without a level is unlimited.

    `reserved` can be greater than `on_hand`: by up to `backorder_limit`, or by any number after a count. Each page of the table keeps free
    space for new versions of its rows, and no index has a column that changes, so an update writes no index entry (a HOT update).
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


class StockMovement(Base):
    """A change of a stock level. A trigger refuses changes and deletions of rows. The sums of the changes of a variant equal its level.

    `quantity` is the number of units, or for `counted` the counted number. `key` is the Idempotency-Key of a staff request. There are
    no foreign keys: the history is kept when the product or the order is deleted.
    """

    __tablename__ = "stock_movements"
    __table_args__ = (
        one_of("kind", StockMovementKind),
        CheckConstraint("quantity >= 0", name="quantity"),
        Index(None, "variant_id", "id"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    variant_id: Mapped[UUID]
    kind: Mapped[StockMovementKind] = mapped_column(text_enum(StockMovementKind))
    quantity: Mapped[int]
    on_hand_change: Mapped[int]
    reserved_change: Mapped[int]
    order_id: Mapped[UUID | None]
    actor: Mapped[str]
    reason: Mapped[str | None]
    key: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
