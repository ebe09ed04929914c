"""The table of saved cards."""

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from services.payments.models import Base


class Card(Base):
    """A saved card: Paystack's authorization code for charging a customer again, never the card number.

    The data of a deactivated card is erased. Its signature is kept, so that a late webhook event does not save the card again. The
    authorization code is useless without our secret key; nevertheless the API does not return it, and it is not logged.
    """

    __tablename__ = "cards"
    __table_args__ = (
        UniqueConstraint("customer_id", "domain", "signature"),
        CheckConstraint("deactivated_at IS NOT NULL OR authorization_code IS NOT NULL", name="usable_or_deactivated"),
        Index(None, "next_attempt_at", postgresql_where=text("next_attempt_at IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    customer_id: Mapped[str]
    domain: Mapped[str]
    signature: Mapped[str]
    authorization_code: Mapped[str | None]
    # The email of the payment that saved the card. Paystack charges the card only with this email.
    email: Mapped[str | None]
    last4: Mapped[str | None]
    brand: Mapped[str | None]
    exp_month: Mapped[int | None]
    exp_year: Mapped[int | None]
    bank: Mapped[str | None]
    last_payment_started_at: Mapped[datetime]
    deactivated_at: Mapped[datetime | None]
    # When the card is to be deactivated at Paystack; null if that is done or not needed.
    next_attempt_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
