"""The table of unrelated charges. Amounts are subunits of `currency`; times are UTC."""

from datetime import datetime

from sqlalchemy import Identity, func
from sqlalchemy.orm import Mapped, mapped_column

from services.payments.models import Base


class UnrelatedCharge(Base):
    """A successful charge with a reference that is certainly not ours (references.py). It has no payment.

    No event is published about it, and it needs no operator.
    """

    __tablename__ = "unrelated_charges"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    reference: Mapped[str] = mapped_column(unique=True)
    paystack_id: Mapped[int | None]
    amount: Mapped[int]
    currency: Mapped[str]
    fees: Mapped[int | None]
    domain: Mapped[str | None]
    channel: Mapped[str | None]
    paid_at: Mapped[datetime | None]
    received_at: Mapped[datetime] = mapped_column(server_default=func.now())
