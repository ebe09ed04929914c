"""A good client of the shop: one key for each intent, the same request again until it is answered, and a note of what it saw."""

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
PATIENCE = 60.0
PERSISTENCE = 120.0
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0
MOST_NAMED = 20
AWAY = frozenset({502, 503, 504})


class NotSo(AssertionError):
    """What was awaited did not come."""


class Refused(NotSo):
    """Another answer than the one that was due; `code` is the problem's."""

    def __init__(self, method: str, url: str, answer: httpx.Response) -> None:
        super().__init__(f"{method} {url}: {answer.status_code} {answer.text[:500]}")
        self.code = code_of(answer)


def code_of(answer: httpx.Response) -> str | None:
    """The stable code of a problem (RFC 9457)."""
    try:
        body = answer.json()
    except ValueError:
        return None
    return body.get("code") if isinstance(body, dict) else None


async def until(what: Callable[[], Awaitable[T | None]], seconds: float = PATIENCE) -> T:
    """The first answer that is not None. Raises NotSo after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        found = await what()
        if found is not None:
            return found
        if time.monotonic() > deadline:
            raise NotSo(f"still not so after {seconds} s: {what}")
        await asyncio.sleep(0.05)


@dataclass(slots=True)
class Seen:
    """What the services answered, and what they never may: a 5xx other than a 503 that says when to come again."""

    answers: Counter[int] = field(default_factory=Counter)
    broken: int = 0
    wrong: list[str] = field(default_factory=list)

    def note(self, answer: httpx.Response) -> None:
        status = answer.status_code
        self.answers[status] += 1
        if status >= 500 and (status != 503 or "retry-after" not in answer.headers) and len(self.wrong) < MOST_NAMED:
            self.wrong.append(f"{answer.request.method} {answer.request.url.path}: {status} {answer.text[:200]}")


@dataclass(slots=True)
class Promised:
    """What was answered 201 or 202: it is there, whatever dies afterwards. Orders by their buyer."""

    orders: dict[str, set[str]] = field(default_factory=dict)
    payments: set[str] = field(default_factory=set)
    refunds: set[str] = field(default_factory=set)
    stock: dict[str, int] = field(default_factory=dict)
    """What each product was put on the shelf with."""


class Client:
    def __init__(self, env: Mapping[str, str], keys: Path, client: httpx.AsyncClient) -> None:
        self.env = env
        self.client = client
        self.seen = Seen()
        self.promised = Promised()
        self._signer = Signer(keys, env["AUTH_URL"])
        self._own = tuple(env[f"{name}_URL"] for name in ("AUTH", "CATALOG", "PAYMENTS"))

    @property
    def admin(self) -> Json:
        return self.bearer("operator", frozenset(ADMIN_SCOPES))

    def bearer(
        self, sub: str | None = None, scopes: frozenset[str] = frozenset(CUSTOMER_SCOPES), **claims: Any
    ) -> Json:
        return dict(self._signer.bearer(sub, scopes, **claims))

    async def ask(self, method: str, url: str, **kwargs: Any) -> httpx.Response:
        """Once. What the sandbox answers is not the shop's, and not noted."""
        ours = url.startswith(self._own)
        try:
            answer = await self.client.request(method, url, **kwargs)
        except httpx.HTTPError:
            self.seen.broken += ours
            raise
        if ours:
            self.seen.note(answer)
        return answer

    async def call(self, method: str, url: str, *, expect: int | None = None, **kwargs: Any) -> httpx.Response:
        answer = await self.ask(method, url, **kwargs)
        if expect is not None and answer.status_code != expect:
            raise Refused(method, url, answer)
        return answer

    async def persistently(
        self, method: str, url: str, *, expect: int | None = None, seconds: float = PERSISTENCE, **kwargs: Any
    ) -> httpx.Response:
        """The same request with the same key, ever less often, until the answer is neither 503 nor a broken connection."""
        deadline = time.monotonic() + seconds
        pause = FIRST_PAUSE
        while True:
            try:
                answer = await self.ask(method, url, **kwargs)
            except httpx.HTTPError as error:
                said = repr(error)
            else:
                in_use = answer.status_code == 409 and code_of(answer) == "idempotency_key_in_use"
                if answer.status_code not in AWAY and not in_use:
                    break
                said = f"{answer.status_code} {answer.text[:200]}"
            if time.monotonic() > deadline:
                raise NotSo(f"{method} {url}: no answer within {seconds:.0f} s, at last {said}")
            await asyncio.sleep(pause * random.uniform(0.5, 1))
            pause = min(2 * pause, LONGEST_PAUSE)
        if expect is not None and answer.status_code != expect:
            raise Refused(method, url, answer)
        return answer

    async def product(self, *, stock: int | None = None, price: int = 50_000, currency: str = "NGN") -> Json:
        name = f"Product {uuid4().hex[:8]}"
        body = {"name": name, "price": price, "currency": currency, **({} if stock is None else {"stock": stock})}
        url = f"{self.env['CATALOG_URL']}/catalog/products"
        product = dict((await self.call("POST", url, json=body, headers=self.admin, expect=201)).json())
        if stock is not None:
            self.promised.stock[product["id"]] = stock
        return product

    async def order(self, buyer: Json, product: Json, quantity: int = 1) -> Json:
        url = f"{self.env['CATALOG_URL']}/catalog/orders"
        body = {"items": [{"product_id": product["id"], "quantity": quantity}]}
        headers = {**buyer, "Idempotency-Key": uuid4().hex}
        order = dict((await self.persistently("POST", url, json=body, headers=headers, expect=201)).json())
        self.promised.orders.setdefault(order["customer_id"], set()).add(order["id"])
        return order

    async def start(self, buyer: Json, order: Json, **body: Any) -> Json:
        url = f"{self.env['PAYMENTS_URL']}/payments"
        headers = {**buyer, "Idempotency-Key": uuid4().hex}
        asked = {"order_id": order["id"], **body}
        payment = dict((await self.persistently("POST", url, json=asked, headers=headers, expect=201)).json())
        self.promised.payments.add(payment["reference"])
        return payment

    async def pay(self, reference: str, **how: Any) -> Json:
        """As the payer, by script at the sandbox."""
        url = f"{self.env['SANDBOX_URL']}/sandbox/transactions/{reference}/pay"
        return dict((await self.call("POST", url, json=how, expect=200)).json())
