"""The tables of webhook events and of the state of the backfill. Times are UTC."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from kit.messaging.inbox import InboxEntry
from services.payments.models import Base


class WebhookEvent(InboxEntry, Base):
    """What Paystack sent, as it came. `key` is the SHA-256 of the body; what is in it is known when it is settled.

    `identity` is what all deliveries of one happening share (kinds.py); a backfill asks by it whether one is held.
    """

    __tablename__ = "webhook_events"

    event: Mapped[str | None]
    reference: Mapped[str | None]
    outcome: Mapped[str | None]
    identity: Mapped[str | None]


Index(None, WebhookEvent.identity)
Index(None, WebhookEvent.reference, postgresql_where=WebhookEvent.reference.is_not(None))
# Nearly all are charge.success: those are found by going through all.
Index(None, WebhookEvent.event, WebhookEvent.id, postgresql_where=text("event <> 'charge.success'"))


class BackfillState(Base):
    """The one row that says how far the backfill has come: everything that happened before `reached` is held here."""

    __tablename__ = "backfill_state"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    reached: Mapped[datetime | None]
    # The last run, and who runs now.
    ran_at: Mapped[datetime | None]
    seen: Mapped[int] = mapped_column(server_default=text("0"))
    stored: Mapped[int] = mapped_column(server_default=text("0"))
    leased_until: Mapped[datetime | None]
    holder: Mapped[str | None]
