"""The table of payments whose order could not be fulfilled. Money is in subunits of `currency`; times are UTC."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, func
from sqlalchemy.orm import Mapped, mapped_column

from contracts.reasons import UndeliverableReason
from kit.db.columns import one_of, text_enum
from services.catalog.models import Base


class UndeliverablePayment(Base):
    """A payment whose order could not be fulfilled, as published in `order.undeliverable`. Rows never change."""

    __tablename__ = "undeliverable_payments"
    __table_args__ = (
        one_of("reason", UndeliverableReason),
        Index(None, "created_at", "reference"),
    )

    reference: Mapped[str] = mapped_column(primary_key=True)
    order_id: Mapped[UUID]
    amount: Mapped[int]
    currency: Mapped[str]
    reason: Mapped[UndeliverableReason] = mapped_column(text_enum(UndeliverableReason))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
