"""Paystack's webhooks: the signature is checked over the raw bytes, the notice is stored as it came, committed, answered 200.

Nothing else happens in the request. A valid notice is stored whatever is in it; what it means is the worker's to find out.
"""

import asyncio
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from prometheus_client import Counter
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kit.errors import Unavailable, problem_responses
from kit.messaging.notifier import Notifier
from kit.observability.tracing import traceparent
from services.payments.db import Topic
from services.payments.errors import BadSignature, NotConfigured

PATH = "/payments/webhooks/paystack"
MAX_BODY_BYTES = 1024 * 1024
BATCH = 100
MAX_WAITING = 1000
MAX_WAITING_BYTES = 64 * 1024 * 1024
ANSWER_SECONDS = 2.5

# Two equal partial refunds send byte-identical notices, and both must be looked into: a refund's notice is never a duplicate.
REFUND = re.compile(rb'"event"\s*:\s*"refund\.')

STORE = text(
    # A row for each body: the same notice again, however often, is the same row.
    "INSERT INTO webhook_events (key, body, headers)"
    " SELECT * FROM unnest(CAST(:keys AS text[]), CAST(:bodies AS bytea[]), CAST(:headers AS jsonb[]))"
    " ON CONFLICT (key) DO NOTHING"
)

webhook_requests_total = Counter("webhook_requests_total", "Webhooks by answer", ["result"])
log = structlog.get_logger("webhooks")


class Raw(APIRoute):
    """A route whose endpoint takes the request as it is: nothing of it is to be parsed, and the answer is a Response already."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        return self.endpoint


router = APIRouter(tags=["webhooks"], route_class=Raw)


def is_signed(body: bytes, signature: bytes, keys: Iterable[bytes]) -> bool:
    """Whether the signature is the lowercase hex HMAC-SHA512 of the body under one of the keys. Compared in constant time, as bytes."""
    return any(hmac.compare_digest(hmac.digest(key, body, "sha512").hex().encode(), signature) for key in keys)


Waiting = tuple[str, bytes, str, asyncio.Future[None]]
"""A notice's key, body and headers, and who waits for it."""


class Intake:
    """Stores notices; those that come while one batch is being committed share the next commit.

    At most MAX_WAITING wait, of MAX_WAITING_BYTES together. Beyond that, and where the database does not answer in time, the sender is
    told to come again.
    """

    def __init__(self, engine: AsyncEngine, notifier: Notifier, keys: Sequence[bytes]) -> None:
        self.keys = keys
        """Secret keys under which a signature is accepted; none without a configured key."""
        self._engine = engine
        self._notifier = notifier
        self._waiting: list[Waiting] = []
        self._bytes = 0
        self._storing: asyncio.Task[None] | None = None

    async def store(self, key: str, body: bytes, headers: str) -> None:
        """Returns when the notice is committed. Raises Unavailable when that is not known to have happened."""
        if len(self._waiting) >= MAX_WAITING or self._bytes + len(body) > MAX_WAITING_BYTES:
            raise Unavailable
        stored = asyncio.get_running_loop().create_future()
        self._waiting.append((key, body, headers, stored))
        self._bytes += len(body)
        if self._storing is None or self._storing.done():
            self._storing = asyncio.create_task(self._store_all())
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await stored
        except TimeoutError as error:
            raise Unavailable from error

    async def _store_all(self) -> None:
        while self._waiting:
            batch: list[Waiting] | None = None
            try:
                async with asyncio.timeout(ANSWER_SECONDS) as limit, self._engine.connect() as connection:
                    # One statement is one transaction: no BEGIN and COMMIT to wait for.
                    await connection.execution_options(isolation_level="AUTOCOMMIT")
                    while batch := self._take():  # on one connection, while they keep coming
                        await self._commit(connection, batch)
                        self._answer(batch, None)
                        self._notifier.notify(Topic.WEBHOOK_EVENTS)
                        limit.reschedule(asyncio.get_running_loop().time() + ANSWER_SECONDS)
            except Exception as error:
                batch = self._take() if batch is None else batch
                log.warning("notices not stored", count=len(batch), error=type(error).__name__, reason=str(error)[:200])
                self._answer(batch, Unavailable())

    def _take(self) -> list[Waiting]:
        """The next batch. Whoever waited too long has been answered 503, and Paystack will send it again."""
        taken = self._waiting[:BATCH]
        del self._waiting[:BATCH]
        self._bytes -= sum(len(body) for _, body, _, _ in taken)
        return [entry for entry in taken if not entry[3].done()]

    async def _commit(self, connection: AsyncConnection, batch: list[Waiting]) -> None:
        ordered = sorted(batch, key=lambda entry: entry[0])  # several processes must not deadlock on the same keys
        await connection.execute(
            STORE,
            {
                "keys": [key for key, _, _, _ in ordered],
                "bodies": [body for _, body, _, _ in ordered],
                "headers": [headers for _, _, headers, _ in ordered],
            },
        )

    def _answer(self, batch: list[Waiting], error: Exception | None) -> None:
        for _, _, _, stored in batch:
            if stored.done():
                continue
            if error is None:
                stored.set_result(None)
            else:
                stored.set_exception(error)


@router.post(
    PATH, responses=problem_responses(BadSignature, NotConfigured, Unavailable), openapi_extra={"security": []}
)
async def receive(request: Request) -> Response:
    """A notice from Paystack. `x-paystack-signature`: HMAC-SHA512 of the raw body under the secret key, lowercase hex."""
    intake: Intake = request.state.intake
    if not intake.keys:
        raise NotConfigured
    body = await request.body()
    signatures = []
    headers = {}
    for name, value in request.scope["headers"]:
        if name == b"x-paystack-signature":
            signatures.append(value)
        elif name not in {b"authorization", b"cookie"}:
            headers[name.decode("latin-1")] = value[:1000].decode("latin-1").replace("\x00", "")
    if len(signatures) != 1 or not is_signed(body, signatures[0], intake.keys):
        webhook_requests_total.labels("bad_signature").inc()
        raise BadSignature
    headers["x-paystack-signature"] = signatures[0].decode()
    headers["traceparent"] = traceparent() or ""
    key = hashlib.sha256(body).hexdigest()
    if REFUND.search(body[:200]):
        key = f"{key}-{secrets.token_hex(8)}"
    try:
        await intake.store(key, body, json.dumps(headers))
    except Unavailable:
        webhook_requests_total.labels("unavailable").inc()
        raise
    webhook_requests_total.labels("stored").inc()
    return Response('{"status":"stored"}', media_type="application/json")
