"""HTTP on the port of a service: uvicorn's protocol, with the limits that uvicorn does not have.

uvicorn limits neither the size of a header, nor the time that it takes to arrive, nor pipelined requests, nor the responses that clients
leave unread: how many bytes, and for how long. Its `limit_concurrency` counts idle connections too: 999 of them made a service answer 503
to everybody.
"""

import asyncio
import secrets
from typing import ClassVar

from prometheus_client import Counter
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from kit.errors import problem_response
from kit.http.unread_responses import UnreadResponses
from kit.observability.metrics import requests_total

MAX_CONNECTIONS = 2000
MAX_HEADER_BYTES = 32 * 1024
"""Maximum size of the request line and all header fields. The gateway allows 16 KiB."""

HEADER_SECONDS = 10.0
"""Time until the header is complete: from the connection, or from the first byte of a further request."""

UNREAD_SECONDS = 30.0
MIN_READ_BYTES = 16 * 1024
"""A client whose response is too long for the buffers between us must read this many bytes in UNREAD_SECONDS."""

UNREAD_BUFFER_BYTES = 16 * 1024
"""Unread bytes of a connection that are not counted in UnreadResponses: 32 MiB for all connections together."""

MAX_PIPELINED = 16
MAX_PIPELINED_BYTES = 16 * 1024
"""Requests that a client may send before it has the response to an earlier one, and their size."""

connections_closed = Counter(
    "http_connections_closed_total",
    "Connections closed because of a limit: too_many, header_too_slow, response_not_read, too_much_unread, too_many_pipelined",
    ["reason"],
)


class _ParsingEnded(Exception):
    """Makes the parser ignore the rest of what the client sent."""


class ServerProtocol(HttpToolsProtocol):
    """A connection to a client.

    If more than `max_connections` are open, the one that has waited longest for its client is closed: it is idle, or its request is not
    complete. If none waits, the new connection is closed.
    """

    max_connections: ClassVar[int] = MAX_CONNECTIONS
    header_seconds: ClassVar[float] = HEADER_SECONDS
    unread_seconds: ClassVar[float] = UNREAD_SECONDS
    waiting: ClassVar[dict["ServerProtocol", None]] = {}
    """The connections of this process that wait for their client, in the sequence in which they began to wait."""
    unread: ClassVar[UnreadResponses] = UnreadResponses()

    _header_complete = False
    _header_too_large = False
    _header_bytes = 0
    _bytes_of_incomplete_header = 0
    _header_timer: asyncio.TimerHandle | None = None
    _unread_timer: asyncio.TimerHandle | None = None
    _unread_bytes = 0
    _pipelined_bytes = 0
    _deferred: tuple[RequestResponseCycle, ASGI3Application] | None = None
    """A request that is processed when the client has read the response to the one before."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.max_connections:
            longest = next(iter(self.waiting), self)
            longest._abort("too_many")
            if longest is self:
                return
        self.waiting[self] = None
        transport.set_write_buffer_limits(UNREAD_BUFFER_BYTES)
        self._start_header_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.waiting.pop(self, None)
        self.unread.release(self)
        self._deferred = None
        for timer in (self._header_timer, self._unread_timer, self.timeout_keep_alive_task):
            if timer is not None:
                timer.cancel()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._header_complete or self.transport.is_closing():
            return
        # The parser keeps the bytes of an incomplete field, so they are counted here.
        self._bytes_of_incomplete_header += len(data)
        if self._bytes_of_incomplete_header > MAX_HEADER_BYTES:
            self._header_too_large = True
            self.send_400_response("")
        elif self._header_timer is None:
            self._start_header_timer()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._header_complete = False
        self._header_bytes = self._bytes_of_incomplete_header = 0

    def on_url(self, url: bytes) -> None:
        self._count_header_bytes(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count_header_bytes(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._header_complete = True
        self._cancel_header_timer()
        if len(self.pipeline) >= MAX_PIPELINED:
            self._abort("too_many_pipelined")
            raise _ParsingEnded
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self.pipeline or self._deferred is not None:
            self._count_pipelined_bytes(len(body))
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self.cycle.response_complete:
            self._wait_for_next_request()
        else:
            self.waiting.pop(self, None)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        pipelined = bool(self.pipeline)
        super().on_response_complete()
        self._recount_pipelined_bytes()
        if self.transport.is_closing():
            self._start_unread_timer()
        elif not pipelined and not self.cycle.more_body:
            self._wait_for_next_request()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._start_unread_timer()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._unread_timer is not None:
            self._unread_timer.cancel()
            self._unread_timer = None
        self.unread.release(self)
        if self._deferred is not None:
            cycle, app = self._deferred
            self._deferred = None
            super()._start_asgi_task(cycle, app)
            self._recount_pipelined_bytes()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        if self.flow.write_paused:
            # Its response would wait in memory, uncounted, until the client has read the one before.
            self._deferred = (cycle, app)
        else:
            super()._start_asgi_task(cycle, app)

    def close_unread(self) -> None:
        """Close the connection, because the unread responses of all connections take too much memory."""
        self._abort("too_much_unread")

    def timeout_keep_alive_handler(self) -> None:
        if self.transport.get_write_buffer_size():  # closing would wait until the client reads
            self._abort("response_not_read")
        else:
            super().timeout_keep_alive_handler()

    def send_400_response(self, msg: str) -> None:
        """Answer a request that is not HTTP, or whose header is too large, with problem+json, and close the connection."""
        if self._header_too_large:
            self._answer_and_close(
                431,
                "header_too_large",
                f"The request line and the header fields are larger than {MAX_HEADER_BYTES} bytes. Send shorter ones.",
            )
        else:
            self._answer_and_close(400, "bad_request", "The request is not valid HTTP/1.1.")

    def _count_header_bytes(self, count: int) -> None:
        self._header_bytes += count
        if self._header_bytes > MAX_HEADER_BYTES:
            self._header_too_large = True
            raise _ParsingEnded
        if self.cycle is not None and not self.cycle.response_complete:
            self._count_pipelined_bytes(count)

    def _count_pipelined_bytes(self, count: int) -> None:
        self._pipelined_bytes += count
        if self._pipelined_bytes > MAX_PIPELINED_BYTES:
            self._abort("too_many_pipelined")
            raise _ParsingEnded

    def _recount_pipelined_bytes(self) -> None:
        self._pipelined_bytes = sum(
            len(cycle.body) + sum(len(name) + len(value) for name, value in cycle.scope["headers"])
            for cycle, _ in self.pipeline
        )

    def _wait_for_next_request(self) -> None:
        self._header_complete = False
        self._bytes_of_incomplete_header = 0
        self.waiting[self] = None

    def _start_header_timer(self) -> None:
        self._header_timer = self.loop.call_later(self.header_seconds, self._header_too_slow)

    def _cancel_header_timer(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _header_too_slow(self) -> None:
        connections_closed.labels("header_too_slow").inc()
        if self._bytes_of_incomplete_header:
            self._answer_and_close(
                408, "header_too_slow", "The header of the request did not arrive in time. Send it again."
            )
        else:
            self.transport.close()

    def _start_unread_timer(self) -> None:
        if self._unread_timer is None:
            self._unread_bytes = self.transport.get_write_buffer_size()
            self.unread.hold(self, self._unread_bytes)
            self._unread_timer = self.loop.call_later(self.unread_seconds, self._check_read)

    def _check_read(self) -> None:
        self._unread_timer = None
        if self.transport.get_write_buffer_size() > self._unread_bytes - MIN_READ_BYTES:
            self._abort("response_not_read")
        else:
            self._start_unread_timer()

    def _answer_and_close(self, status: int, code: str, detail: str) -> None:
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete:  # else our bytes would become part of another response
            requests_total.labels("OTHER", "unmatched", status).inc()
            request_id = secrets.token_hex(16)
            response = problem_response(status, code, detail, request_id=request_id)
            fields = [*self.server_state.default_headers, *response.raw_headers]
            fields += [
                (b"x-request-id", request_id.encode()),
                (b"cache-control", b"no-store"),
                (b"connection", b"close"),
            ]
            head = b"".join(name + b": " + value + b"\r\n" for name, value in fields)
            self.transport.write(STATUS_LINE[status] + head + b"\r\n" + bytes(response.body))
        self.transport.close()
        self._start_unread_timer()

    def _abort(self, reason: str) -> None:
        connections_closed.labels(reason).inc()
        self.waiting.pop(self, None)
        self.connections.discard(self)
        if self.transport.get_write_buffer_size():  # closing would wait until the client reads
            self.transport.abort()
        else:
            self.transport.close()
