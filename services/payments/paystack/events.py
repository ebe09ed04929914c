"""The Webhook Events API: what Paystack has sent, or tried to."""

from datetime import datetime
from urllib.parse import quote, urlencode

from services.payments.charges import Unreadable
from services.payments.paystack.errors import NoAnswer
from services.payments.paystack.times import instant
from services.payments.paystack.wire import Wire
from services.payments.recovery.told import EventPage, ToldEvent, read_event, read_page


class Events:
    """/integration/webhooks/events"""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def page(self, since: datetime, until: datetime, following: str | None) -> EventPage:
        """GET /integration/webhooks/events, fifty a page, newest first; `following` is the `next` of the page before."""
        query = {"from": instant(since), "to": instant(until), "limit": "50"}
        if following is not None:
            query["next"] = following
        path = f"/integration/webhooks/events?{urlencode(query)}"
        try:
            return read_page(await self._wire.answer("events", "GET", path))
        except Unreadable as error:
            raise NoAnswer(str(error)) from error

    async def fetch(self, listed: ToldEvent) -> ToldEvent:
        """GET /integration/webhooks/events/:id of one that was listed, with the notice as it was sent."""
        data = await self._wire.call("event", "GET", f"/integration/webhooks/events/{quote(listed.id, safe='')}")
        try:
            return read_event({"_id": listed.id, "event_name": listed.event, **data})
        except Unreadable as error:
            raise NoAnswer(str(error)) from error
