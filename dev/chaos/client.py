"""A client that follows docs/integrating.md: one idempotency key per order, payment or refund, and retries with the same key. It counts
all answers of the services, and records what they acknowledged."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import httpx

from contracts.tokens import ADMIN_SCOPES, CUSTOMER_SCOPES
from dev.chaos.tokens import Signer

T = TypeVar("T")
Json = dict[str, Any]
WAIT_SECONDS = 60.0
RETRY_SECONDS = 120.0
MIN_PAUSE, MAX_PAUSE = 0.05, 2.0
POLL_SECONDS = 0.05
MAX_INVALID = 20
UNAVAILABLE = frozenset({502, 503, 504})


class ExpectationFailed(AssertionError):
    """An expected state was not reached, or an answer was not the expected one."""


class UnexpectedAnswer(ExpectationFailed):
    """The service answered with another status than the expected one; `code` is the problem's code."""

    def __init__(self, method: str, url: str, answer: httpx.Response) -> None:
        super().__init__(f"{method} {url}: {answer.status_code} {answer.text[:500]}")
        self.code = problem_code(answer)


def problem_code(answer: httpx.Response) -> str | None:
    """Return the stable code of a problem (RFC 9457); None if the body is not a problem."""
    try:
        body = answer.json()
    except ValueError:
        return None
    return body.get("code") if isinstance(body, dict) else None


async def until(probe: Callable[[], Awaitable[T | None]], seconds: float = WAIT_SECONDS) -> T:
    """Call `probe` until it returns something other than None, and return that. Raises ExpectationFailed after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        found = await probe()
        if found is not None:
            return found
        if time.monotonic() > deadline:
            raise ExpectationFailed(f"not reached within {seconds} s: {probe}")
        await asyncio.sleep(POLL_SECONDS)


@dataclass(slots=True)
class Answers:
    """The answers of the services. `invalid`: 5xx answers other than a 503 with Retry-After, at most MAX_INVALID."""

    by_status: Counter[int] = field(default_factory=Counter)
    connection_errors: int = 0
    invalid: list[str] = field(default_factory=list)

    def record(self, answer: httpx.Response) -> None:
        """Count an answer, and keep it if it is invalid."""
        status = answer.status_code
        self.by_status[status] += 1
        if status >= 500 and (status != 503 or "retry-after" not in answer.headers) and len(self.invalid) < MAX_INVALID:
            self.invalid.append(f"{answer.request.method} {answer.request.url.path}: {status} {answer.text[:200]}")


@dataclass(slots=True)
class Acknowledged:
    """What a service acknowledged with 201 or 202. It must exist after any crash. `orders`: ids by customer. `payments`: references."""

    orders: dict[str, set[str]] = field(default_factory=dict)
    payments: set[str] = field(default_factory=set)
    refunds: set[str] = field(default_factory=set)
    stock: dict[str, int] = field(default_factory=dict)
    """The initial stock of each product, by its id, which is also the id of its variant."""


class Client:
    """Requests to the services and to the sandbox, with access tokens for any account."""

    def __init__(self, env: Mapping[str, str], keys: Path, client: httpx.AsyncClient) -> None:
        self.env = env
        self.client = client
        self.answers = Answers()
        self.acknowledged = Acknowledged()
        self._signer = Signer(keys, env["AUTH_URL"])
        self._service_urls = tuple(env[f"{name}_URL"] for name in ("AUTH", "CATALOG", "PAYMENTS"))

    @property
    def admin(self) -> Json:
        """Return the Authorization header of an operator with all scopes."""
        return self.bearer("operator", frozenset(ADMIN_SCOPES))

    def bearer(
        self, sub: str | None = None, scopes: frozenset[str] = frozenset(CUSTOMER_SCOPES), **claims: Any
    ) -> Json:
        """Return the Authorization header of an account, by default of a new customer."""
        return dict(self._signer.bearer(sub, scopes, **claims))

    async def request(self, method: str, url: str, **kwargs: Any) -> httpx.Response:
        """Send a request once and record the answer, unless it came from the sandbox."""
        to_service = url.startswith(self._service_urls)
        try:
            answer = await self.client.request(method, url, **kwargs)
        except httpx.HTTPError:
            self.answers.connection_errors += to_service
            raise
        if to_service:
            self.answers.record(answer)
        return answer

    async def call(self, method: str, url: str, *, expect: int | None = None, **kwargs: Any) -> httpx.Response:
        """Send a request once. Raises UnexpectedAnswer if the status is not `expect`."""
        answer = await self.request(method, url, **kwargs)
        if expect is not None and answer.status_code != expect:
            raise UnexpectedAnswer(method, url, answer)
        return answer

    async def retry(
        self, method: str, url: str, *, expect: int | None = None, seconds: float = RETRY_SECONDS, **kwargs: Any
    ) -> httpx.Response:
        """Repeat a request with exponential backoff while there is an outage. Raises ExpectationFailed after `seconds`.

        An outage is a connection error, a 502, 503 or 504, or an idempotency key that is still in use.
        """
        deadline = time.monotonic() + seconds
        pause = MIN_PAUSE
        while True:
            try:
                answer = await self.request(method, url, **kwargs)
            except httpx.HTTPError as error:
                problem = repr(error)
            else:
                in_use = answer.status_code == 409 and problem_code(answer) == "idempotency_key_in_use"
                if answer.status_code not in UNAVAILABLE and not in_use:
                    break
                problem = f"{answer.status_code} {answer.text[:200]}"
            if time.monotonic() > deadline:
                raise ExpectationFailed(f"{method} {url}: no answer within {seconds:.0f} s; the last error: {problem}")
            await asyncio.sleep(pause * random.uniform(0.5, 1))
            pause = min(2 * pause, MAX_PAUSE)
        if expect is not None and answer.status_code != expect:
            raise UnexpectedAnswer(method, url, answer)
        return answer

    async def product(self, *, stock: int | None = None, price: int = 50_000, currency: str = "NGN") -> Json:
        """Create a product."""
        name = f"Product {uuid4().hex[:8]}"
        body = {"name": name, "price": price, "currency": currency, **({} if stock is None else {"stock": stock})}
        url = f"{self.env['CATALOG_URL']}/catalog/products"
        product = dict((await self.call("POST", url, json=body, headers=self.admin, expect=201)).json())
        if stock is not None:
            self.acknowledged.stock[product["id"]] = stock
        return product

    async def order(self, customer: Json, product: Json, quantity: int = 1) -> Json:
        """Place an order. `customer`: the Authorization header."""
        url = f"{self.env['CATALOG_URL']}/catalog/orders"
        body = {"items": [{"product_id": product["id"], "quantity": quantity}]}
        headers = {**customer, "Idempotency-Key": uuid4().hex}
        order = dict((await self.retry("POST", url, json=body, headers=headers, expect=201)).json())
        self.acknowledged.orders.setdefault(order["customer_id"], set()).add(order["id"])
        return order

    async def start_payment(self, customer: Json, order: Json, **body: Any) -> Json:
        """Start a payment for an order."""
        url = f"{self.env['PAYMENTS_URL']}/payments"
        headers = {**customer, "Idempotency-Key": uuid4().hex}
        content = {"order_id": order["id"], **body}
        payment = dict((await self.retry("POST", url, json=content, headers=headers, expect=201)).json())
        self.acknowledged.payments.add(payment["reference"])
        return payment

    async def pay(self, reference: str, **options: Any) -> Json:
        """Pay as the payer does at the checkout page, through the sandbox's control route."""
        url = f"{self.env['SANDBOX_URL']}/sandbox/transactions/{reference}/pay"
        return dict((await self.call("POST", url, json=options, expect=200)).json())
