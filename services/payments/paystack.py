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
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

import httpx
from prometheus_client import Counter
from pydantic import SecretStr

from services.payments.charges import Charge, Unreadable, read_charge, read_subunits, read_text
from services.payments.disputes.told import ToldDispute, read_dispute
from services.payments.ledger.told import Listing, PayoutListing, read_listing, read_payouts
from services.payments.recovery.pace import DOCUMENTED, Pace, bucket_of
from services.payments.recovery.told import EventPage, ToldEvent, read_event, read_page
from services.payments.settings import settings

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


@dataclass(frozen=True, slots=True)
class Challenge:
    """A repeat charge for which the payer has to come: nothing is decided yet."""

    authorization_url: str
    access_code: str | None


@dataclass(frozen=True, slots=True)
class Upload:
    """Where to PUT a file for a dispute, within half an hour, and its name afterwards."""

    url: str
    filename: str


class Paystack:
    """A client of one integration. Every call ends within its timeout. What can wait asks `pace` for its turn first."""

    def __init__(
        self, url: str, key: SecretStr, transport: httpx.AsyncBaseTransport | None = None, pace: Pace | None = None
    ) -> None:
        self.pace = pace or Pace(DOCUMENTED[settings.domain], settings.payments_paystack_calls_per_minute)
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
        return _charge(data, reference)

    async def charge_authorization(
        self, *, code: str, reference: str, email: str, amount: int, currency: str, metadata: dict[str, Any]
    ) -> Charge | Challenge:
        """POST /transaction/charge_authorization: with the email of the payment that left the card. After NoAnswer: verify, never resend.

        Refused has made no transaction; a charge that the bank declined is answered with its status.
        """
        body = {
            "authorization_code": code,
            "reference": reference,
            "email": email,
            "amount": amount,
            "currency": currency,
            "metadata": metadata,
        }
        data = await self._call("charge_authorization", "POST", "/transaction/charge_authorization", body)
        if data.get("paused") is True:
            url = read_text(data.get("authorization_url"), 2000)
            if url is None:
                raise NoAnswer("the charge is paused without an authorization_url")
            return Challenge(url, read_text(data.get("access_code"), 100))
        return _charge(data, reference)

    async def deactivate(self, code: str) -> None:
        """POST /customer/authorization/deactivate; quietly where Paystack does not know the code any more."""
        try:
            path = "/customer/authorization/deactivate"
            await self._count("deactivate", self._ask("POST", path, {"authorization_code": code}))
        except Refused as refused:
            if refused.status != 404:
                raise

    async def dispute(self, dispute_id: int) -> ToldDispute:
        """GET /dispute/:id."""
        return _told_dispute(await self._call("dispute", "GET", f"/dispute/{dispute_id}"))

    async def disputes(self, status: str, page: int) -> list[ToldDispute]:
        """GET /dispute, fifty a page, from page 1."""
        path = f"/dispute?status={quote(status, safe='')}&perPage=50&page={page}"
        return [_told_dispute(one) for one in await self._call_list("disputes", path)]

    async def upload_address(self, dispute_id: int, filename: str) -> Upload:
        """GET /dispute/:id/upload_url."""
        path = f"/dispute/{dispute_id}/upload_url?upload_filename={quote(filename, safe='')}"
        data = await self._call("upload_url", "GET", path)
        url, name = read_text(data.get("signedUrl"), 4000), read_text(data.get("fileName"), 200)
        if url is None or name is None:
            raise NoAnswer("an upload without signedUrl or fileName")
        return Upload(url, name)

    async def add_evidence(self, dispute_id: int, evidence: dict[str, Any]) -> int | None:
        """POST /dispute/:id/evidence; Paystack's number of it."""
        data = await self._call("evidence", "POST", f"/dispute/{dispute_id}/evidence", evidence)
        return read_subunits(data.get("id"), most=2**63 - 1)

    async def resolve_dispute(self, dispute_id: int, answer: dict[str, Any]) -> ToldDispute:
        """PUT /dispute/:id/resolve: resolution, message, refund_amount, uploaded_filename; evidence where there is any."""
        return _told_dispute(await self._call("resolve", "PUT", f"/dispute/{dispute_id}/resolve", answer))

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

    async def events(self, since: datetime, until: datetime, following: str | None) -> EventPage:
        """GET /integration/webhooks/events, fifty a page, newest first; `following` is the `next` of the page before."""
        query = {"from": _instant(since), "to": _instant(until), "limit": "50"}
        if following is not None:
            query["next"] = following
        path = f"/integration/webhooks/events?{urlencode(query)}"
        try:
            return read_page(await self._count("events", self._envelope("GET", path, None)))
        except Unreadable as error:
            raise NoAnswer(str(error)) from error

    async def event(self, listed: ToldEvent) -> ToldEvent:
        """GET /integration/webhooks/events/:id of one that was listed, with the notice as it was sent."""
        data = await self._call("event", "GET", f"/integration/webhooks/events/{quote(listed.id, safe='')}")
        try:
            return read_event({"_id": listed.id, "event_name": listed.event, **data})
        except Unreadable as error:
            raise NoAnswer(str(error)) from error

    async def transactions(self, since: datetime, until: datetime, page: int) -> Listing:
        """GET /transaction: what began between the two, both included, fifty a page, from page 1."""
        period = urlencode({"from": _instant(since), "to": _instant(until)})
        data, last = await self._call_page("transactions", f"/transaction?{period}&", page)
        return read_listing(data, last=last)

    async def payouts(self, page: int) -> PayoutListing:
        """GET /settlement, newest first, fifty a page, from page 1."""
        data, last = await self._call_page("payouts", "/settlement?", page)
        return read_payouts(data, last=last)

    async def payout_transactions(self, payout_id: int, page: int) -> Listing:
        """GET /settlement/:id/transactions, fifty a page, from page 1."""
        data, last = await self._call_page("payout_transactions", f"/settlement/{payout_id}/transactions?", page)
        return read_listing(data, last=last)

    async def _call_page(self, operation: str, path: str, page: int) -> tuple[list[Any], bool]:
        """The items of a page, and whether it is the last: by meta.pageCount, or because it is empty."""
        answer = await self._count(operation, self._envelope("GET", f"{path}perPage=50&page={page}", None))
        data, meta = answer.get("data"), answer.get("meta")
        if not isinstance(data, list):
            raise NoAnswer("the answer has no list")
        pages = read_subunits(meta.get("pageCount")) if isinstance(meta, dict) else None
        return data, not data or (pages is not None and page >= pages)

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
            if isinstance(error, NoAnswer):
                self.pace.circuit.failed()
            elif isinstance(error, KeyRejected):
                self.pace.circuit.rejected(str(error))
            else:
                self.pace.circuit.worked()
            raise
        calls_total.labels(operation, "ok").inc()
        self.pace.circuit.worked()
        return data

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        return (await self._envelope(method, path, body)).get("data")

    async def _envelope(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
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
        self.pace.heard(bucket_of(path), answer.headers)
        if answer.status_code == 401:
            raise KeyRejected(str(found.get("message", "") if isinstance(found, dict) else "")[:200])
        if answer.status_code == 429:
            reset = answer.headers.get("x-ratelimit-reset", "")
            seconds = min(int(reset[:9]), 600) if reset.isascii() and reset.isdigit() else 60
            self.pace.limited(bucket_of(path), seconds)
            raise RateLimited(seconds)
        if answer.status_code >= 500 or not isinstance(found, dict):
            raise NoAnswer(f"HTTP {answer.status_code}")
        if found.get("status") is not True or answer.status_code >= 400:
            raise Refused(answer.status_code, str(found.get("code", ""))[:100], str(found.get("message", ""))[:500])
        return found


def _instant(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _charge(data: Any, reference: str) -> Charge:
    try:
        charge = read_charge(data)
    except Unreadable as error:
        raise NoAnswer(f"a charge that cannot be read: {error}") from error
    if charge.reference != reference:
        raise NoAnswer("the answer is about another reference")
    return charge


def _told_dispute(data: Any) -> ToldDispute:
    try:
        return read_dispute(data)
    except Unreadable as error:
        raise NoAnswer(str(error)) from error


def _told(data: Any) -> ToldRefund:
    found = data if isinstance(data, dict) else {}
    refund_id, amount = read_subunits(found.get("id"), most=2**63 - 1), read_subunits(found.get("amount"))
    status = read_text(found.get("status"), 50)
    if refund_id is None or amount is None or status is None:
        raise NoAnswer("a refund without id, amount or status")
    return ToldRefund(refund_id, amount, status.lower(), read_text(found.get("merchant_note"), 500))
