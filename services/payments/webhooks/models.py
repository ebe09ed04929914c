"""The tables of webhook events and of the state of the backfill. Times are UTC."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from kit.messaging.inbox import InboxEntry
from services.payments.models import Base


class WebhookEvent(InboxEntry, Base):
    """A webhook event as Paystack sent it. `key` identifies the row: deliveries with the same key are stored as one row.

    `key` is the SHA-256 of the body. For refund events it has a random suffix, because different refunds can send equal bodies: each
    delivery of a refund event is a row. For backfilled refund events and backfilled events without a body, it is `event-` and Paystack's
    id.

    Processing sets the columns below. `identity` is equal for all deliveries of one event (paystack/event_types.py), and also for the
    events of two equal partial refunds. The backfill uses it to find events that are stored already. `outcome` is what the event changed
    (outcomes.py).
    """

    __tablename__ = "webhook_events"

    # The name of the event type, such as charge.success: Paystack calls it `event`.
    event: Mapped[str | None]
    reference: Mapped[str | None]
    outcome: Mapped[str | None]
    identity: Mapped[str | None]


Index(None, WebhookEvent.identity)
Index(None, WebhookEvent.reference, postgresql_where=WebhookEvent.reference.is_not(None))
# For lists of one event type. Nearly all events are charge.success: a list of those finds its rows without an index.
Index(None, WebhookEvent.event, WebhookEvent.id, postgresql_where=text("event <> 'charge.success'"))


class BackfillState(Base):
    """The single row with the state of the backfill. The backfill has checked all events that Paystack sent before `complete_until`."""

    __tablename__ = "backfill_state"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    complete_until: Mapped[datetime | None]
    # The end of the last run, and its counts of events.
    ran_at: Mapped[datetime | None]
    checked: Mapped[int] = mapped_column(server_default=text("0"))
    stored: Mapped[int] = mapped_column(server_default=text("0"))
    # The lease of the process that runs the backfill now: its end, and a random id of the process.
    leased_until: Mapped[datetime | None]
    holder: Mapped[str | None]
