"""The table of saved cards."""

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from services.payments.models import Base


class Card(Base):
    """A payer's right to be charged again, never the card itself. A forgotten one keeps its signature only: late notices do not revive it.

    The authorization code is of use to nobody without our secret key; all the same it goes into no answer and no log.
    """

    __tablename__ = "cards"
    __table_args__ = (
        UniqueConstraint("payer_id", "domain", "signature"),
        CheckConstraint("deactivated_at IS NOT NULL OR authorization_code IS NOT NULL", name="usable_or_forgotten"),
        Index(None, "next_attempt_at", postgresql_where=text("next_attempt_at IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    payer_id: Mapped[str]
    domain: Mapped[str]
    signature: Mapped[str]
    authorization_code: Mapped[str | None]
    # Of the payment that left it: Paystack charges it with no other.
    email: Mapped[str | None]
    last4: Mapped[str | None]
    brand: Mapped[str | None]
    exp_month: Mapped[int | None]
    exp_year: Mapped[int | None]
    bank: Mapped[str | None]
    # When the newest payment that told of it was started.
    seen_at: Mapped[datetime]
    deactivated_at: Mapped[datetime | None]
    # When Paystack is to be told that it is forgotten.
    next_attempt_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
