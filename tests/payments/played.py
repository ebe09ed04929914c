"""Paystack with a limit of calls a minute, on a clock that only waiting moves."""

import asyncio
from collections.abc import Callable

import httpx
from pydantic import SecretStr

from kit.worker.shutdown import Shutdown
from services.payments.paystack.client import Paystack
from services.payments.paystack.rate_limit import RateLimit, bucket_of

KEY = "sk_test_0123456789abcdef"
Answer = Callable[[httpx.Request], httpx.Response]


class Clock:
    """Seconds."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Hurried(Shutdown):
    """Waits no time, and says that it did."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    async def wait(self, seconds: float, bell: asyncio.Event | None = None) -> None:
        self.clock.now += seconds
        await asyncio.sleep(0)


class Limited:
    """Counts calls in windows of 60 seconds, as Paystack documents it; 429 beyond the limit. One counter where limits are equal."""

    def __init__(self, clock: Clock, answer: Answer, *, told: bool = True, limit: int = 100, verify: int = 100) -> None:
        self.clock = clock
        self.answer = answer
        self.told = told
        self.limits = {"verify": verify, "charge": limit, "others": limit}
        self.made: dict[tuple[int, int], int] = {}
        """Calls by limit and window."""
        self.refused = 0
        self.asked: list[str] = []

    def client(self, budget: int | None = None, pace: RateLimit | None = None) -> Paystack:
        return Paystack(
            "http://paystack.test",
            SecretStr(KEY),
            httpx.MockTransport(self.handle),
            pace or RateLimit(100, budget, self.clock),
        )

    def handle(self, request: httpx.Request) -> httpx.Response:
        limit = self.limits[bucket_of(request.url.path)]
        window, into = divmod(self.clock.now, 60)
        made = self.made[limit, int(window)] = self.made.get((limit, int(window)), 0) + 1
        headers = {"x-ratelimit-reset": str(int(60 - into) + 1)}
        if self.told:
            headers |= {"x-ratelimit-limit": str(limit), "x-ratelimit-remaining": str(max(0, limit - made))}
        if made > limit:
            self.refused += 1
            return httpx.Response(429, headers=headers, json={"status": False, "code": "rate_limited"})
        self.asked.append(request.url.path)
        answer = self.answer(request)
        answer.headers.update(headers)
        return answer


def ok(data: object, **more: object) -> httpx.Response:
    return httpx.Response(200, json={"status": True, "message": "ok", "data": data, **more})
