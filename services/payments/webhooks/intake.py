"""Receive Paystack's webhooks: check the signature over the raw body, store the event, commit, and respond with 200.

Every event with a valid signature is stored, whatever it contains; the worker processes it.
"""

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import structlog
from fastapi import Request, Response
from prometheus_client import Counter
from pydantic_core import to_json
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kit.errors import Unavailable
from kit.http.routing import Router
from kit.http.unparsed_routes import UnparsedRoute, read_body
from kit.log_throttling import log_failure
from kit.messaging import inbox
from kit.messaging.notifier import Notifier
from kit.observability.tracing import traceparent
from kit.problem_responses import problem_responses
from services.payments.db import Topic
from services.payments.errors import BadSignature, NotConfigured, WebhookAddressNotAllowed
from services.payments.paystack.parsing import Unreadable
from services.payments.webhooks.models import WebhookEvent
from services.payments.webhooks.parsing import parse_body
from services.payments.webhooks.schemas import StoredWebhook
from services.payments.webhooks.sources import WebhookSources

PATH = "/payments/webhooks/paystack"
OTHER_PATHS = (f"{PATH}/", f"/{PATH}")
"""Spellings of the URL on Paystack's dashboard that work too: a slash at the end, or two slashes after the public URL."""

MAX_BODY_BYTES = 1024 * 1024
BATCH = 100
MAX_WAITING = 1000
MAX_WAITING_BYTES = 64 * 1024 * 1024
RESPONSE_SECONDS = 2.5
"""The longest time that a request waits until its event is stored. After this time, the response is 503."""

STORE = text(
    # One row for each key. An event that is delivered again has the same key, unless it is a refund event.
    "INSERT INTO webhook_events (key, body, headers)"
    " SELECT * FROM unnest(CAST(:keys AS text[]), CAST(:bodies AS bytea[]), CAST(:headers AS jsonb[]))"
    " ON CONFLICT (key) DO NOTHING"
)

webhook_requests_total = Counter(
    "webhook_requests_total",
    "Webhook requests by result: stored, bad_signature, address_not_allowed or unavailable",
    ["result"],
)
_stored_total = webhook_requests_total.labels("stored")
log = structlog.get_logger("webhooks")


router = Router(tags=["webhooks"], route_class=UnparsedRoute)


def is_signed(body: bytes, signature: bytes, secret_keys: Iterable[bytes]) -> bool:
    """Return True if the signature is the lowercase hex HMAC-SHA512 of the body under a secret key. Compares bytes in constant time."""
    return any(hmac.compare_digest(hmac.digest(key, body, "sha512").hex().encode(), signature) for key in secret_keys)


class WaitingEvent(NamedTuple):
    """A webhook event to be stored, and the future that its request waits for. `headers` is JSON."""

    key: str
    body: bytes
    headers: str
    stored: asyncio.Future[None]


class Intake:
    """Stores webhook events. Events that arrive during a commit are stored together by the next commit.

    At most MAX_WAITING events with a total of MAX_WAITING_BYTES wait. If there are more, or if the database does not respond in time, the
    response is 503, and Paystack sends the event again.
    """

    def __init__(self, engine: AsyncEngine, notifier: Notifier, secret_keys: Sequence[bytes]) -> None:
        self.secret_keys = secret_keys
        """The secret keys of Paystack under which a signature is accepted; empty if no key is configured."""
        self._engine = engine
        self._notifier = notifier
        self._waiting: list[WaitingEvent] = []
        self._waiting_bytes = 0
        self._storing: asyncio.Task[None] | None = None

    async def store(self, key: str, body: bytes, headers: str) -> None:
        """Store an event, and return when it is committed. Raises Unavailable if it is not known to be committed."""
        if len(self._waiting) >= MAX_WAITING or self._waiting_bytes + len(body) > MAX_WAITING_BYTES:
            raise Unavailable
        loop = asyncio.get_running_loop()
        stored = loop.create_future()
        self._waiting.append(WaitingEvent(key, body, headers, stored))
        self._waiting_bytes += len(body)
        if self._storing is None or self._storing.done():
            self._storing = asyncio.create_task(self._store_all())
        # asyncio.timeout would do the same for five times the cost.
        timer = loop.call_later(RESPONSE_SECONDS, _expire, stored)
        try:
            await stored
        finally:
            timer.cancel()

    async def _store_all(self) -> None:
        while self._waiting:
            batch: list[WaitingEvent] | None = None
            try:
                async with asyncio.timeout(RESPONSE_SECONDS) as limit, self._engine.connect() as connection:
                    # One statement is one transaction: this saves the round trips of BEGIN and COMMIT.
                    await connection.execution_options(isolation_level="AUTOCOMMIT")
                    while batch := self._take_batch():  # on one connection, as long as events arrive
                        await self._insert(connection, batch)
                        self._finish(batch, None)
                        self._notifier.notify(Topic.WEBHOOK_EVENTS)
                        limit.reschedule(asyncio.get_running_loop().time() + RESPONSE_SECONDS)
            except Exception as error:
                # If no connection was made, `batch` is None. Then take a batch, so that its requests get 503 instead of waiting.
                batch = self._take_batch() if batch is None else batch
                log_failure(log.warning, "webhook events not stored", error, count=len(batch))
                self._finish(batch, Unavailable())

    def _take_batch(self) -> list[WaitingEvent]:
        """Return the next batch. Leaves out events whose request has timed out with 503: Paystack sends them again."""
        taken = self._waiting[:BATCH]
        del self._waiting[:BATCH]
        self._waiting_bytes -= sum(len(event.body) for event in taken)
        return [event for event in taken if not event.stored.done()]

    async def _insert(self, connection: AsyncConnection, batch: list[WaitingEvent]) -> None:
        # In the order of the keys: otherwise two processes that store the same events could deadlock.
        events = sorted(batch, key=lambda event: event.key)
        values = {
            "keys": [event.key for event in events],
            "bodies": [event.body for event in events],
            "headers": [event.headers for event in events],
        }
        stored = await connection.execute(STORE, values)
        if stored.rowcount < len(events):
            await connection.execute(inbox.make_due_again(WebhookEvent), {"keys": values["keys"]})

    def _finish(self, batch: list[WaitingEvent], error: Exception | None) -> None:
        for event in batch:
            if event.stored.done():
                continue
            if error is None:
                event.stored.set_result(None)
            else:
                event.stored.set_exception(error)


@router.post(
    PATH,
    summary="Receive a webhook event from Paystack",
    response_model=StoredWebhook,
    responses=problem_responses(BadSignature, NotConfigured, WebhookAddressNotAllowed),
    openapi_extra={"security": []},
)
async def receive_webhook_event(request: Request) -> Response:
    """Store a webhook event. It is processed in the background.

    The header `x-paystack-signature` must be the HMAC-SHA512 of the raw body under the secret key, in lowercase hex. With a live key, only
    Paystack's addresses may send webhooks, unless PAYMENTS_WEBHOOK_SOURCES names others. After any response other than 200, Paystack sends
    the event again.
    """
    sources: WebhookSources = request.state.webhook_sources
    try:
        await sources.check(request)
    except WebhookAddressNotAllowed:
        webhook_requests_total.labels("address_not_allowed").inc()
        raise
    intake: Intake = request.state.intake
    if not intake.secret_keys:
        raise NotConfigured
    body = await read_body(request)
    signatures = []
    headers = {}
    for name, value in request.scope["headers"]:
        if name == b"x-paystack-signature":
            signatures.append(value)
        elif name not in {b"authorization", b"cookie"}:
            headers[name.decode("latin-1")] = value[:1000].decode("latin-1").replace("\x00", "")
    if len(signatures) != 1 or not is_signed(body, signatures[0], intake.secret_keys):
        webhook_requests_total.labels("bad_signature").inc()
        raise BadSignature
    headers["x-paystack-signature"] = signatures[0].decode()
    headers["traceparent"] = traceparent() or ""
    key = hashlib.sha256(body).hexdigest()
    if _is_refund_event(body):
        # Paystack sends identical bodies for two equal partial refunds, and each event has to schedule a sync: store every one.
        key = f"{key}-{secrets.token_hex(8)}"
    try:
        await intake.store(key, body, to_json(headers).decode())
    except Unavailable:
        webhook_requests_total.labels("unavailable").inc()
        raise
    _stored_total.inc()
    return Response('{"status":"stored"}', media_type="application/json")


for path in OTHER_PATHS:
    router.add_api_route(path, receive_webhook_event, methods=["POST"], include_in_schema=False)


def _expire(stored: asyncio.Future[None]) -> None:
    if not stored.done():
        stored.set_exception(Unavailable())


def _is_refund_event(body: bytes) -> bool:
    """Return True if the body is JSON in UTF-8 with the name of a refund event. Bodies that cannot contain such a name are not parsed."""
    if b"refund" not in body and b"\\u" not in body:
        return False
    try:
        return parse_body(body).type_name.startswith("refund.")
    except Unreadable:
        return False
