"""Call Paystack over HTTP: count each call against the rate limit, limit its time and size, and classify its errors."""

import asyncio
import json
from typing import Any

import httpx
from prometheus_client import Counter
from pydantic import SecretStr

from kit.http.client import HttpClient
from services.payments.mode import Mode
from services.payments.paystack.errors import KeyRejected, NoAnswer, PaystackError, RateLimited, Refused
from services.payments.paystack.parsing import parse_integer, parse_text
from services.payments.paystack.rate_limit import DOCUMENTED_LIMITS, RateLimit, bucket_of

MAX_RESPONSE_BYTES = 1024 * 1024
TIMEOUT = httpx.Timeout(10, connect=3)
CALL_SECONDS = 12.0
"""Limit for a whole call. httpx's timeouts apply to each read: a response that arrives byte by byte would never exceed them."""

calls_total = Counter("paystack_calls_total", "Calls to Paystack's API", ["operation", "result"])


class Transport:
    """The HTTP client for one Paystack integration. Every call ends within CALL_SECONDS and raises PaystackError on failure."""

    def __init__(
        self,
        url: str,
        key: SecretStr,
        transport: httpx.AsyncBaseTransport | None = None,
        rate_limit: RateLimit | None = None,
    ) -> None:
        self.rate_limit = rate_limit or RateLimit(DOCUMENTED_LIMITS[Mode.TEST])
        self.client = HttpClient(
            base_url=url,
            headers={"Authorization": f"Bearer {key.get_secret_value()}", "User-Agent": "paystack-shop"},
            timeout=TIMEOUT,
            limits=httpx.Limits(max_connections=50, max_keepalive_connections=20),
            transport=transport,
        )

    async def close(self) -> None:
        await self.rate_limit.close()
        await self.client.aclose()

    async def call(self, operation: str, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Call Paystack and return `data` of the response, which must be an object."""
        data = (await self.request(operation, method, path, body)).get("data")
        if not isinstance(data, dict):
            raise NoAnswer("the response has no data")
        return data

    async def call_for_list(self, operation: str, path: str) -> list[object]:
        """Call Paystack and return `data` of the response, which must be a list."""
        data = (await self.request(operation, "GET", path)).get("data")
        if not isinstance(data, list):
            raise NoAnswer("the response has no list")
        return data

    async def call_for_page(self, operation: str, path: str, page: int) -> tuple[list[object], bool]:
        """Return the items of a page, and True if it is the last page.

        The last page is one that is empty, or whose number is `meta.pageCount` or greater. `path` must end with `?` or `&`.
        """
        response = await self.request(operation, "GET", f"{path}perPage=50&page={page}")
        data, meta = response.get("data"), response.get("meta")
        if not isinstance(data, list):
            raise NoAnswer("the response has no list")
        pages = parse_integer(meta.get("pageCount")) if isinstance(meta, dict) else None
        return data, not data or (pages is not None and page >= pages)

    async def request(
        self, operation: str, method: str, path: str, body: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Call Paystack and return the whole response. Raises PaystackError. Updates metrics, rate limit and circuit breaker."""
        breaker = self.rate_limit.circuit_breaker
        self.rate_limit.count(bucket_of(path))
        try:
            response = await self._send(method, path, body)
        except PaystackError as error:
            calls_total.labels(operation, type(error).__name__).inc()
            if isinstance(error, NoAnswer):
                breaker.record_failure()
            elif isinstance(error, KeyRejected):
                breaker.record_rejected_key(str(error))
            else:
                breaker.record_response()
            raise
        calls_total.labels(operation, "ok").inc()
        breaker.record_response()
        return response

    async def _send(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        try:
            async with (
                asyncio.timeout(CALL_SECONDS),
                self.client.stream(method, path, json=body) as response,
            ):
                raw = b""
                async for part in response.aiter_bytes():
                    raw += part
                    if len(raw) > MAX_RESPONSE_BYTES:
                        raise NoAnswer("the response is larger than 1 MiB")
        except (httpx.HTTPError, TimeoutError) as error:
            raise NoAnswer(f"{type(error).__name__}: {error}") from error
        try:
            found = json.loads(raw)
        except (ValueError, RecursionError):
            found = None
        self.rate_limit.update(bucket_of(path), response.headers)
        if response.status_code == 401:
            raise KeyRejected((parse_text(found.get("message"), 200) if isinstance(found, dict) else None) or "")
        if response.status_code == 429:
            reset = response.headers.get("x-ratelimit-reset", "")
            seconds = min(int(reset[:9]), 600) if reset.isascii() and reset.isdigit() else 60
            self.rate_limit.exhaust(bucket_of(path), seconds)
            raise RateLimited(seconds)
        if response.status_code >= 500 or not isinstance(found, dict):
            raise NoAnswer(f"HTTP {response.status_code}")
        if found.get("status") is not True or response.status_code >= 400:
            code, message = parse_text(found.get("code"), 100), parse_text(found.get("message"), 500)
            raise Refused(response.status_code, code or "", message or "")
        return found
