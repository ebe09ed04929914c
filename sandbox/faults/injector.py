"""Applies the current faults to calls of Paystack's API."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send

from sandbox.enums import Domain, TransactionStatus, VerifyFaultMode
from sandbox.errors import InvalidKey, RateLimited, ReferenceNotFound, ServerError
from sandbox.faults.models import Faults
from sandbox.responses import ApiResponse

Handler = Callable[[], Awaitable[Response]]

NO_RESPONSE_SECONDS = 120.0
"""Seconds that a call without a response is kept open, unless the caller disconnects earlier."""
RATE_LIMIT_WINDOW = 60
"""Seconds."""


class CutOffResponse(Response):
    """Sends half of a response; the server then closes the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"status":', "more_body": True})


async def _no_response(request: Request) -> Response:
    try:
        async with asyncio.timeout(NO_RESPONSE_SECONDS):
            while (await request.receive())["type"] != "http.disconnect":
                pass
    except (TimeoutError, asyncio.CancelledError):
        pass  # cancelled when the sandbox stops; the caller must not get a complete response in this case either
    return CutOffResponse()


async def _cut_off(_: Request) -> Response:
    return CutOffResponse()


async def _html_page(_: Request) -> Response:
    return HTMLResponse("<!doctype html><title>Please wait</title><h1>Checking your browser</h1>")


async def _server_error(_: Request) -> Response:
    return ServerError().response()


async def _invalid_key(_: Request) -> Response:
    return InvalidKey().response()


async def _rate_limited(_: Request) -> Response:
    return RateLimited(headers=_rate_limit_headers(100, 0, 1)).response()


async def _not_found(_: Request) -> Response:
    return ReferenceNotFound().response()


@dataclass(frozen=True, slots=True)
class ResponseFault:
    respond: Callable[[Request], Awaitable[Response]]
    handle_first: bool = False
    """Carry out the call and lose only its response."""


RESPONSE_FAULTS: dict[VerifyFaultMode, ResponseFault] = {
    VerifyFaultMode.TIMEOUT_AFTER_STORE: ResponseFault(_no_response, handle_first=True),
    VerifyFaultMode.TIMEOUT_BEFORE: ResponseFault(_no_response),
    VerifyFaultMode.ERROR_500: ResponseFault(_server_error),
    VerifyFaultMode.ERROR_401: ResponseFault(_invalid_key),
    VerifyFaultMode.HTML_200: ResponseFault(_html_page),
    VerifyFaultMode.RESET: ResponseFault(_cut_off, handle_first=True),
    VerifyFaultMode.RATE_LIMITED: ResponseFault(_rate_limited),
    VerifyFaultMode.NOT_FOUND: ResponseFault(_not_found),
}


def _wrong_status(data: dict[str, Any]) -> dict[str, Any]:
    paid = data["status"] == TransactionStatus.SUCCESS
    return {"status": TransactionStatus.FAILED if paid else TransactionStatus.SUCCESS}


WRONG_VALUES: dict[VerifyFaultMode, Callable[[dict[str, Any]], dict[str, Any]]] = {
    VerifyFaultMode.WRONG_STATUS: _wrong_status,
    VerifyFaultMode.WRONG_REFERENCE: lambda data: {"reference": f"{data['reference']}-of-another"},
    VerifyFaultMode.WRONG_AMOUNT: lambda data: {"amount": data["amount"] // 2},
    VerifyFaultMode.WRONG_CURRENCY: lambda data: {"currency": "NGN" if data["currency"] != "NGN" else "USD"},
    VerifyFaultMode.WRONG_DOMAIN: lambda data: {
        "domain": Domain.TEST if data["domain"] == Domain.LIVE else Domain.LIVE
    },
}
"""For each mode: a function that takes the true `data` of verify and returns the field with a wrong value."""


def _with_wrong_value(mode: VerifyFaultMode, response: Response) -> Response:
    """Replace a value of a successful response. An error response is returned unchanged."""
    if response.status_code != 200:
        return response
    body = json.loads(bytes(response.body))
    return ApiResponse(body | {"data": body["data"] | WRONG_VALUES[mode](body["data"])})


class FaultInjector:
    """Holds the current faults, in memory only: a restart clears them."""

    def __init__(self) -> None:
        self.faults = Faults()
        self._calls: dict[str, int] = {}
        """For each fault with `times`, by name: the number of calls that it has affected."""
        self._window_ends_at = 0.0
        self._calls_in_window = 0

    def replace(self, faults: Faults) -> None:
        self.faults = faults
        self._calls = {}
        self._window_ends_at = 0.0

    def count_call(self) -> dict[str, str]:
        """Count a call against the rate limit and return the rate limit headers of its response. Raises RateLimited."""
        limit = self.faults.rate_limit
        if limit is None:
            return {}
        at = time.monotonic()
        if at >= self._window_ends_at:
            self._window_ends_at, self._calls_in_window = at + RATE_LIMIT_WINDOW, 0
        reset = max(1, round(self._window_ends_at - at))
        if self._calls_in_window >= limit:
            raise RateLimited(headers=_rate_limit_headers(limit, 0, reset))
        self._calls_in_window += 1
        return _rate_limit_headers(limit, limit - self._calls_in_window, reset)

    async def respond(self, route_name: str, request: Request, handle: Handler) -> Response:
        """Answer a call with `handle`, or with the current fault of its route."""
        mode, latency_ms = self._take_fault(route_name)
        if latency_ms := latency_ms + self.faults.latency_ms:
            await asyncio.sleep(latency_ms / 1000)
        if mode in WRONG_VALUES:
            return _with_wrong_value(mode, await handle())
        fault = RESPONSE_FAULTS.get(mode)
        if fault is None:
            return await handle()
        if fault.handle_first:
            await handle()
        return await fault.respond(request)

    def _take_fault(self, route_name: str) -> tuple[VerifyFaultMode, int]:
        """Return the mode and the extra latency in milliseconds, and count the call against `times`."""
        name, fault = self.faults.fault_for(route_name)
        calls = self._calls.get(name, 0)
        if calls == fault.times:
            return VerifyFaultMode.NONE, 0
        if fault.times is not None:
            self._calls[name] = calls + 1
        return VerifyFaultMode(fault.mode), fault.latency_ms


def _rate_limit_headers(limit: int, remaining: int, reset: int) -> dict[str, str]:
    return {
        "x-ratelimit-limit": str(limit),
        "x-ratelimit-remaining": str(remaining),
        "x-ratelimit-reset": str(reset),
    }
