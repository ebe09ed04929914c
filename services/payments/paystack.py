"""Paystack's API, as far as we speak it. What is known of it: Paystack's OpenAPI and documentation; see each rule.

PaystackError
├── Refused          Paystack understood and said no; nothing was made
├── KeyRejected      our secret key is wrong or revoked: a person must act, no payment is at fault
├── RateLimited      ask again after `retry_after` seconds
└── NoAnswer         timeout, network, 5xx or nonsense: whether it happened is unknown, look it up
"""

import asyncio
import json
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
from prometheus_client import Counter
from pydantic import SecretStr

from services.payments.charges import Charge, Unreadable, read_charge, read_subunits, read_text

MAX_ANSWER_BYTES = 1024 * 1024
TIMEOUT = httpx.Timeout(10, connect=3)
CALL_SECONDS = 12.0
"""For a whole call: httpx's timeouts are for each read, and an answer that drips would meet them for ever."""

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


@dataclass(frozen=True, slots=True)
class ToldRefund:
    """A refund as Paystack tells it. `note` is the merchant_note that it was asked with."""

    id: int
    amount: int
    status: str
    note: str | None


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

    async def refund(
        self, reference: str, amount: int, currency: str, *, note: str, customer_note: str | None
    ) -> ToldRefund:
        """POST /refund. The amount is always sent: without it Paystack takes the whole original, and refuses after a partial one."""
        body = {"transaction": reference, "amount": amount, "currency": currency, "merchant_note": note}
        if customer_note:
            body["customer_note"] = customer_note
        return _told(await self._call("refund", "POST", "/refund", body))

    async def refunds(self, transaction_id: int) -> list[ToldRefund]:
        """GET /refund of one transaction, by its numeric id: a reference would give an empty list."""
        path = f"/refund?transaction={transaction_id}&perPage=100"
        return [_told(one) for one in await self._call_list("refunds", path)]

    async def retry_refund(self, refund_id: int, *, currency: str, account_number: str, bank_id: str) -> ToldRefund:
        """POST /refund/retry_with_customer_details/:id, for one that needs attention."""
        details = {"currency": currency, "account_number": account_number, "bank_id": bank_id}
        path = f"/refund/retry_with_customer_details/{refund_id}"
        return _told(await self._call("retry_refund", "POST", path, {"refund_account_details": details}))

    async def _call_list(self, operation: str, path: str) -> list[Any]:
        data = await self._count(operation, self._ask("GET", path, None))
        if not isinstance(data, list):
            raise NoAnswer("the answer has no list")
        return data

    async def _call(self, operation: str, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        data = await self._count(operation, self._ask(method, path, body))
        if not isinstance(data, dict):
            raise NoAnswer("the answer has no data")
        return data

    async def _count(self, operation: str, asking: Awaitable[Any]) -> Any:
        try:
            data = await asking
        except PaystackError as error:
            calls_total.labels(operation, type(error).__name__).inc()
            raise
        calls_total.labels(operation, "ok").inc()
        return data

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        try:
            async with (
                asyncio.timeout(CALL_SECONDS),
                self._client.stream(method, path, json=body) as answer,
            ):
                raw = b""
                async for part in answer.aiter_bytes():
                    raw += part
                    if len(raw) > MAX_ANSWER_BYTES:
                        raise NoAnswer("the answer is larger than 1 MiB")
        except (httpx.HTTPError, TimeoutError) as error:
            raise NoAnswer(f"{type(error).__name__}: {error}") from error
        try:
            found = json.loads(raw)
        except (ValueError, RecursionError):
            found = None
        if answer.status_code == 401:
            raise KeyRejected(str(found.get("message", "") if isinstance(found, dict) else "")[:200])
        if answer.status_code == 429:
            reset = answer.headers.get("x-ratelimit-reset", "")
            raise RateLimited(min(int(reset[:9]), 600) if reset.isascii() and reset.isdigit() else 60)
        if answer.status_code >= 500 or not isinstance(found, dict):
            raise NoAnswer(f"HTTP {answer.status_code}")
        if found.get("status") is not True or answer.status_code >= 400:
            raise Refused(answer.status_code, str(found.get("code", ""))[:100], str(found.get("message", ""))[:500])
        return found.get("data")


def _told(data: Any) -> ToldRefund:
    found = data if isinstance(data, dict) else {}
    refund_id, amount = read_subunits(found.get("id"), most=2**63 - 1), read_subunits(found.get("amount"))
    status = read_text(found.get("status"), 50)
    if refund_id is None or amount is None or status is None:
        raise NoAnswer("a refund without id, amount or status")
    return ToldRefund(refund_id, amount, status.lower(), read_text(found.get("merchant_note"), 500))
