"""Paystack's rate limit: calls in windows of sixty seconds, on a clock that the test moves."""

from dataclasses import dataclass, field

import httpx


class Clock:
    """Seconds that pass only when a test, or a wait on this clock, adds them."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class RateLimits:
    """Count calls and answer 429 beyond the limit, with the x-ratelimit headers where `announced`.

    As at Paystack, calls of verify are counted apart from the others only if their limits differ.
    """

    clock: Clock
    limit: int = 100
    verify_limit: int = 100
    announced: bool = True
    made: dict[tuple[int, int], int] = field(default_factory=dict)
    """Calls by limit and window."""
    refused: int = 0

    def count(self, operation: str) -> tuple[bool, dict[str, str]]:
        """Count a call. Return whether it is allowed, and the headers of its answer."""
        limit = self.verify_limit if operation == "verify" else self.limit
        window, into = divmod(self.clock.now, 60)
        made = self.made[limit, int(window)] = self.made.get((limit, int(window)), 0) + 1
        headers = {"x-ratelimit-reset": str(int(60 - into) + 1)}
        if self.announced:
            headers |= {"x-ratelimit-limit": str(limit), "x-ratelimit-remaining": str(max(0, limit - made))}
        if made > limit:
            self.refused += 1
        return made <= limit, headers


def too_many(headers: dict[str, str]) -> httpx.Response:
    body = {"status": False, "message": "Rate limit exceeded!", "code": "rate_limited", "type": "api_error"}
    return httpx.Response(429, headers=headers, json=body)
