"""A shop as its clients see it: everything over HTTP, against the running stack."""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from uuid import uuid4

import httpx
import jwt

from contracts.tokens import ADMIN_SCOPES, CUSTOMER_SCOPES
from dev.stack import Stack
from services.auth import keys

T = TypeVar("T")
Json = dict[str, Any]
PATIENCE = 60.0


async def until(what: Callable[[], Awaitable[T | None]], seconds: float = PATIENCE) -> T:
    """The first answer that is not None. Fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        found = await what()
        if found is not None:
            return found
        assert time.monotonic() < deadline, f"still not so after {seconds} s: {what}"
        await asyncio.sleep(0.05)


class Shop:
    def __init__(self, stack: Stack, client: httpx.AsyncClient) -> None:
        self.stack = stack
        self.client = client
        self.env = stack.env
        self._key = keys.read(stack.folder / "keys")[-1]
        self.admin = self.bearer("operator", frozenset(ADMIN_SCOPES))

    def bearer(
        self, sub: str | None = None, scopes: frozenset[str] = frozenset(CUSTOMER_SCOPES), **claims: Any
    ) -> Json:
        """A token of auth's own key for anybody: hundreds of buyers need not hash hundreds of passwords."""
        now = int(time.time())
        payload = {
            "iss": self.env["AUTH_URL"],
            "aud": "shop",
            "sub": sub or str(uuid4()),
            "client_id": "shop",
            "jti": str(uuid4()),
            "iat": now,
            "exp": now + 900,
            "scope": " ".join(sorted(scopes)),
            "email": "payer@example.com",
            **claims,
        }
        headers = {"kid": self._key.kid, "typ": "at+jwt"}
        token = jwt.encode(payload, self._key.private, algorithm=self._key.algorithm, headers=headers)
        return {"Authorization": f"Bearer {token}"}

    async def call(self, method: str, url: str, *, expect: int | None = None, **kwargs: Any) -> httpx.Response:
        answer = await self.client.request(method, url, **kwargs)
        if expect is not None:
            assert answer.status_code == expect, f"{method} {url}: {answer.status_code} {answer.text[:500]}"
        return answer

    async def persistently(self, method: str, url: str, **kwargs: Any) -> httpx.Response:
        """What a good client does: the same request with the same key, until it is neither 503 nor a broken connection."""

        async def once() -> httpx.Response | None:
            try:
                answer = await self.client.request(method, url, **kwargs)
            except httpx.HTTPError:
                return None
            in_use = answer.status_code == 409 and answer.json().get("code") == "idempotency_key_in_use"
            return None if answer.status_code in {502, 503, 504} or in_use else answer

        return await until(once, 120)

    async def product(self, *, stock: int | None = None, price: int = 50_000, currency: str = "NGN") -> Json:
        body = {"name": f"Product {uuid4().hex[:8]}", "price": price, "currency": currency}
        if stock is not None:
            body["stock"] = stock
        answer = await self.call(
            "POST", f"{self.env['CATALOG_URL']}/catalog/products", json=body, headers=self.admin, expect=201
        )
        return dict(answer.json())

    async def order(self, buyer: Json, product: Json, quantity: int = 1) -> Json:
        body = {"items": [{"product_id": product["id"], "quantity": quantity}]}
        headers = {**buyer, "Idempotency-Key": uuid4().hex}
        answer = await self.persistently(
            "POST", f"{self.env['CATALOG_URL']}/catalog/orders", json=body, headers=headers
        )
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def start(self, buyer: Json, order: Json, **body: Any) -> Json:
        headers = {**buyer, "Idempotency-Key": uuid4().hex}
        url = f"{self.env['PAYMENTS_URL']}/payments"
        answer = await self.persistently("POST", url, json={"order_id": order["id"], **body}, headers=headers)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def pay(self, reference: str, **how: Any) -> Json:
        url = f"{self.env['SANDBOX_URL']}/sandbox/transactions/{reference}/pay"
        return dict((await self.call("POST", url, json=how, expect=200)).json())

    async def begun(self, product: Json, quantity: int = 1, **body: Any) -> tuple[Json, Json, Json]:
        """A new buyer with an order and a started payment."""
        buyer = self.bearer()
        order = await self.order(buyer, product, quantity)
        return buyer, order, await self.start(buyer, order, **body)

    async def bought(self, product: Json, **how: Any) -> tuple[Json, Json, Json]:
        """A new buyer who has paid; not yet delivered."""
        buyer, order, payment = await self.begun(product)
        await self.pay(payment["reference"], **how)
        return buyer, order, payment

    async def order_status(self, buyer: Json, order: Json) -> str:
        answer = await self.persistently(
            "GET", f"{self.env['CATALOG_URL']}/catalog/orders/{order['id']}", headers=buyer
        )
        return str(answer.json()["status"])

    async def payment(self, buyer: Json, reference: str) -> Json:
        answer = await self.persistently("GET", f"{self.env['PAYMENTS_URL']}/payments/{reference}", headers=buyer)
        return dict(answer.json())

    async def delivered(self, buyer: Json, order: Json, seconds: float = PATIENCE) -> None:
        await self.reaches(buyer, order, "delivered", seconds)

    async def reaches(self, buyer: Json, order: Json, status: str, seconds: float = PATIENCE) -> None:
        async def there() -> bool | None:
            return True if await self.order_status(buyer, order) == status else None

        await until(there, seconds)

    async def payment_reaches(self, buyer: Json, reference: str, status: str) -> Json:
        async def there() -> Json | None:
            found = await self.payment(buyer, reference)
            return found if found["status"] == status else None

        return await until(there)

    async def stock(self, product: Json) -> int | None:
        answer = await self.call("GET", f"{self.env['CATALOG_URL']}/catalog/products/{product['id']}", expect=200)
        found: int | None = answer.json()["stock"]
        return found

    def signed(self, body: bytes | Json) -> tuple[bytes, dict[str, str]]:
        raw = body if isinstance(body, bytes) else json.dumps(body, separators=(",", ":")).encode()
        signature = hmac.new(self.env["PAYSTACK_SECRET_KEY"].encode(), raw, hashlib.sha512).hexdigest()
        return raw, {"x-paystack-signature": signature, "Content-Type": "application/json"}

    async def webhook(self, body: bytes | Json) -> httpx.Response:
        raw, headers = self.signed(body)
        url = f"{self.env['PAYMENTS_URL']}/payments/webhooks/paystack"
        return await self.client.post(url, content=raw, headers=headers)
