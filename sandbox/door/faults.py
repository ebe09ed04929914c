"""Bad weather over Paystack's own API: faults by call, lies, slowness and the rate limit."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send

from sandbox.door.weather import VerifyMode, Weather
from sandbox.errors import InvalidKey, RateLimited, ReferenceNotFound, ServerError
from sandbox.wire import Answer

Work = Callable[[], Awaitable[Response]]

SILENCE = 120.0
"""Seconds that a call which is never answered is held open, unless the caller hangs up before."""
WINDOW = 60
"""Seconds that a rate limit counts over."""


class CutOff(Response):
    """Half an answer; the server then closes the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"status":', "more_body": True})


async def _silence(request: Request) -> Response:
    try:
        async with asyncio.timeout(SILENCE):
            while (await request.receive())["type"] != "http.disconnect":
                pass
    except (TimeoutError, asyncio.CancelledError):
        pass  # cancelled: the sandbox stops, and an answer is still not what the caller was promised
    return CutOff()


async def _cut_off(_: Request) -> Response:
    return CutOff()


async def _page(_: Request) -> Response:
    return HTMLResponse("<!doctype html><title>Please wait</title><h1>Checking your browser</h1>")


async def _server_error(_: Request) -> Response:
    return ServerError().response()


async def _invalid_key(_: Request) -> Response:
    return InvalidKey().response()


async def _rate_limited(_: Request) -> Response:
    return RateLimited(headers=_limits(100, 0, 1)).response()


async def _not_found(_: Request) -> Response:
    return ReferenceNotFound().response()


@dataclass(frozen=True, slots=True)
class Fault:
    answer: Callable[[Request], Awaitable[Response]]
    after_the_work: bool = False
    """The call is carried out, and only its answer is lost."""


FAULTS: dict[VerifyMode, Fault] = {
    "timeout_after_store": Fault(_silence, after_the_work=True),
    "timeout_before": Fault(_silence),
    "error_500": Fault(_server_error),
    "error_401": Fault(_invalid_key),
    "html_200": Fault(_page),
    "reset": Fault(_cut_off, after_the_work=True),
    "rate_limited": Fault(_rate_limited),
    "not_found": Fault(_not_found),
}
LIES: dict[VerifyMode, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "wrong_status": lambda data: {"status": "failed" if data["status"] == "success" else "success"},
    "wrong_reference": lambda data: {"reference": f"{data['reference']}-of-another"},
    "wrong_amount": lambda data: {"amount": data["amount"] // 2},
    "wrong_currency": lambda data: {"currency": "NGN" if data["currency"] != "NGN" else "USD"},
    "wrong_domain": lambda data: {"domain": "test" if data["domain"] == "live" else "live"},
}
"""What a data of verify says that is not so."""


def _lie(mode: VerifyMode, answer: Response) -> Response:
    """A refusal stays as it is."""
    if answer.status_code != 200:
        return answer
    told = json.loads(bytes(answer.body))
    return Answer(told | {"data": told["data"] | LIES[mode](told["data"])})


class Faults:
    """The weather now. In memory: a restart clears the sky."""

    def __init__(self) -> None:
        self.weather = Weather()
        self._met: dict[str, int] = {}
        """How often each fault was met."""
        self._window_ends = 0.0
        self._spent = 0

    def set(self, weather: Weather) -> None:
        self.weather = weather
        self._met = {}
        self._window_ends = 0.0

    def spend(self) -> dict[str, str]:
        """Count a call against the rate limit; answers its headers. Errors: RateLimited."""
        limit = self.weather.rate_limit
        if limit is None:
            return {}
        at = time.monotonic()
        if at >= self._window_ends:
            self._window_ends, self._spent = at + WINDOW, 0
        reset = max(1, round(self._window_ends - at))
        if self._spent >= limit:
            raise RateLimited(headers=_limits(limit, 0, reset))
        self._spent += 1
        return _limits(limit, limit - self._spent, reset)

    async def through(self, operation: str, request: Request, work: Work) -> Response:
        """Do the `work` of an API call as far as the weather lets it."""
        mode, latency_ms = self._take(operation)
        if latency_ms := latency_ms + self.weather.latency_ms:
            await asyncio.sleep(latency_ms / 1000)
        if mode in LIES:
            return _lie(mode, await work())
        fault = FAULTS.get(mode)
        if fault is None:
            return await work()
        if fault.after_the_work:
            await work()
        return await fault.answer(request)

    def _take(self, operation: str) -> tuple[VerifyMode, int]:
        """What the call meets, and how many milliseconds it takes longer."""
        name, fault = self.weather.fault(operation)
        met = self._met.get(name, 0)
        if met == fault.times:
            return "none", 0
        if fault.times is not None:
            self._met[name] = met + 1
        return fault.mode, fault.latency_ms


def _limits(limit: int, remaining: int, reset: int) -> dict[str, str]:
    return {
        "x-ratelimit-limit": str(limit),
        "x-ratelimit-remaining": str(remaining),
        "x-ratelimit-reset": str(reset),
    }
