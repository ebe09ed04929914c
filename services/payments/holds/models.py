"""The table of decisions about held payments. Times are UTC."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Identity, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from contracts.reasons import HeldReason
from kit.db.columns import one_of, text_enum
from services.payments.models import Base


class DecisionKind(StrEnum):
    """What an operator can decide about a held payment. A refund is not recorded here: it is a row of `refunds`."""

    ACCEPT = "accept"
    BIND = "bind"


class Decision(Base):
    """An operator's decision about a held payment, and the reason for it. A trigger refuses changes."""

    __tablename__ = "decisions"
    __table_args__ = (
        one_of("decision", DecisionKind),
        one_of("held_reason", HeldReason),
        Index(None, "payment_id"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    payment_id: Mapped[int] = mapped_column(ForeignKey("payments.id", ondelete="RESTRICT"))
    decision: Mapped[DecisionKind] = mapped_column(text_enum(DecisionKind))
    held_reason: Mapped[HeldReason] = mapped_column(text_enum(HeldReason))
    reason: Mapped[str]
    decided_by: Mapped[str]
    decided_at: Mapped[datetime] = mapped_column(server_default=func.now())
