"""A shop as its clients see it: everything over HTTP, against the running stack."""

import hashlib
import hmac
import json
from typing import Any

import httpx

from dev.chaos.client import WAIT_SECONDS, Client, Json, until
from dev.stack.stack import Stack

__all__ = ["Json", "Shop", "until"]


class Shop(Client):
    def __init__(self, stack: Stack, client: httpx.AsyncClient) -> None:
        super().__init__(stack.env, stack.folder / "keys", client)
        self.stack = stack

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
        answer = await self.retry("GET", f"{self.env['CATALOG_URL']}/catalog/orders/{order['id']}", headers=buyer)
        return str(answer.json()["status"])

    async def payment(self, buyer: Json, reference: str) -> Json:
        answer = await self.retry("GET", f"{self.env['PAYMENTS_URL']}/payments/{reference}", headers=buyer)
        return dict(answer.json())

    async def delivered(self, buyer: Json, order: Json, seconds: float = WAIT_SECONDS) -> None:
        await self.reaches(buyer, order, "delivered", seconds)

    async def reaches(self, buyer: Json, order: Json, status: str, seconds: float = WAIT_SECONDS) -> None:
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
