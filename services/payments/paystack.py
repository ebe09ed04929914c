"""Paystack's API, as far as we speak it. What is known of it: Paystack's OpenAPI and documentation; see each rule.

PaystackError
├── Refused          Paystack understood and said no; nothing was made
├── KeyRejected      our secret key is wrong or revoked: a person must act, no payment is at fault
├── RateLimited      ask again after `retry_after` seconds
└── NoAnswer         timeout, network, 5xx or nonsense: whether it happened is unknown, look it up
"""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
from prometheus_client import Counter
from pydantic import SecretStr

from services.payments.charges import Charge, Unreadable, read_charge

MAX_ANSWER_BYTES = 1024 * 1024
TIMEOUT = httpx.Timeout(10, connect=3)
calls_total = Counter("paystack_calls_total", "Calls of Paystack's API", ["operation", "result"])


class PaystackError(Exception):
    pass


class Refused(PaystackError):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message


class KeyRejected(PaystackError):
    pass


class RateLimited(PaystackError):
    def __init__(self, retry_after: int) -> None:
        super().__init__(f"rate limited for {retry_after} s")
        self.retry_after = retry_after


class NoAnswer(PaystackError):
    pass


@dataclass(frozen=True, slots=True)
class Initialized:
    authorization_url: str
    access_code: str


class Paystack:
    """A client of one integration. Every call ends within its timeout."""

    def __init__(self, url: str, key: SecretStr, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._client = httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {key.get_secret_value()}", "User-Agent": "paystack-shop"},
            timeout=TIMEOUT,
            limits=httpx.Limits(max_connections=50, max_keepalive_connections=20),
            transport=transport,
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def initialize(
        self, *, reference: str, email: str, amount: int, currency: str, callback_url: str, metadata: dict[str, Any]
    ) -> Initialized:
        """POST /transaction/initialize. There is no idempotency key: after NoAnswer the reference is spent."""
        # Without a currency Paystack silently charges in the integration's own: it is always sent.
        body = {
            "reference": reference,
            "email": email,
            "amount": amount,
            "currency": currency,
            "callback_url": callback_url,
            "metadata": metadata,
        }
        data = await self._call("initialize", "POST", "/transaction/initialize", body)
        url, code = data.get("authorization_url"), data.get("access_code")
        if not isinstance(url, str) or not isinstance(code, str) or data.get("reference") != reference:
            raise NoAnswer("initialize answered without authorization_url, access_code and our reference")
        return Initialized(url[:2000], code[:100])

    async def verify(self, reference: str) -> Charge | None:
        """GET /transaction/verify/:reference; None where Paystack does not know it (400 and 404 were seen: the code decides)."""
        try:
            data = await self._call("verify", "GET", f"/transaction/verify/{quote(reference, safe='')}")
        except Refused as refused:
            if refused.code == "transaction_not_found" or refused.status == 404:
                return None
            raise
        try:
            charge = read_charge(data)
        except Unreadable as error:
            raise NoAnswer(f"verify answered unreadably: {error}") from error
        if charge.reference != reference:
            raise NoAnswer("verify answered about another reference")
        return charge

    async def _call(self, operation: str, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            data = await self._ask(method, path, body)
        except PaystackError as error:
            calls_total.labels(operation, type(error).__name__).inc()
            raise
        calls_total.labels(operation, "ok").inc()
        return data

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        try:
            async with self._client.stream(method, path, json=body) as answer:
                raw = b""
                async for part in answer.aiter_bytes():
                    raw += part
                    if len(raw) > MAX_ANSWER_BYTES:
                        raise NoAnswer("the answer is larger than 1 MiB")
        except httpx.HTTPError as error:
            raise NoAnswer(f"{type(error).__name__}: {error}") from error
        try:
            found = json.loads(raw)
        except (ValueError, RecursionError):
            found = None
        if answer.status_code == 401:
            raise KeyRejected(str(found.get("message", "") if isinstance(found, dict) else "")[:200])
        if answer.status_code == 429:
            reset = answer.headers.get("x-ratelimit-reset", "")
            raise RateLimited(min(int(reset), 600) if reset.isascii() and reset.isdigit() else 60)
        if answer.status_code >= 500 or not isinstance(found, dict):
            raise NoAnswer(f"HTTP {answer.status_code}")
        if found.get("status") is not True or answer.status_code >= 400:
            raise Refused(answer.status_code, str(found.get("code", ""))[:100], str(found.get("message", ""))[:500])
        data = found.get("data")
        if not isinstance(data, dict):
            raise NoAnswer("the answer has no data")
        return data
