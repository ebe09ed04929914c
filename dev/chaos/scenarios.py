"""Buyers of all kinds, each a good client; what becomes of their purchases is for the invariants to say."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

from dev.chaos.client import Client, Json, NotSo, Refused, code_of, until

RESERVATION_SECONDS = 15
OTHER_CURRENCY = "GHS"
SETTLED = frozenset({"succeeded", "held", "partially_refunded", "refunded", "disputed"})


class TooLate(Exception):
    """The order expired, or was sold out, before this buyer got to pay: an answer like any other."""


class Buyer:
    """One purchase. `plenty` is a product of which there is enough, `scarce` one of which there is not."""

    def __init__(self, client: Client, dice: random.Random, plenty: Json, scarce: Json) -> None:
        self._client = client
        self._dice = dice
        self._plenty = plenty
        self._scarce = scarce
        self._who = client.bearer()
        self._payments = f"{client.env['PAYMENTS_URL']}/payments"

    async def plainly(self) -> None:
        await self._pay(await self._begin())

    async def told_thrice(self) -> None:
        await self._pay(await self._begin(), deliveries=3)

    async def told_late(self) -> None:
        await self._pay(await self._begin(), delay_ms=self._dice.randrange(1_000, 6_000))

    async def never_told(self) -> None:
        """The sweep finds out."""
        await self._pay(await self._begin(), deliveries=0)

    async def never_told_but_asks(self) -> None:
        payment = await self._begin()
        await self._pay(payment, deliveries=0)
        await self._ask_about(payment)

    async def comes_back_at_once(self) -> None:
        """The webhook, the payer's return and two questions, all together."""
        payment = await self._begin()
        await self._pay(payment, deliveries=2)
        returns = self._client.persistently(
            "GET", f"{self._payments}/callback", params={"reference": payment["reference"]}
        )
        await asyncio.gather(self._ask_about(payment), self._ask_about(payment), returns)

    async def declined_then_paid(self) -> None:
        order = await self._order(self._plenty)
        first = await self._start(order)
        await self._pay(first, outcome="failed")
        if self._dice.random() < 0.5:
            await self._ask_about(first)
        await self._pay(await self._start(order) if self._dice.random() < 0.7 else first)

    async def pays_twice(self) -> None:
        order = await self._order(self._plenty)
        first, second = await asyncio.gather(self._start(order), self._start(order))
        await asyncio.gather(self._pay(first), self._pay(second))

    async def pays_too_little(self) -> None:
        payment = await self._begin()
        await self._pay(payment, amount=payment["amount"] - 1)

    async def pays_other_money(self) -> None:
        await self._pay(await self._begin(), currency=OTHER_CURRENCY)

    async def sends_all_back(self) -> None:
        await self._refund(await self._settled())

    async def sends_some_back(self) -> None:
        payment = await self._settled()
        amount = payment["amount"] // 5
        await asyncio.gather(self._refund(payment, amount=amount), self._refund(payment, amount=amount))

    async def pays_when_it_expires(self) -> None:
        payment = await self._begin(self._scarce)
        await asyncio.sleep(RESERVATION_SECONDS + self._dice.uniform(-2, 2))
        await self._pay(payment)

    async def cancels_and_pays(self) -> None:
        order = await self._order(self._scarce)
        payment = await self._start(order)
        url = f"{self._client.env['CATALOG_URL']}/catalog/orders/{order['id']}/cancel"
        await asyncio.gather(
            self._client.persistently("POST", url, headers=self._who),
            self._pay(payment, delay_ms=self._dice.choice((0, 50))),
        )

    async def pays_again_with_the_card(self) -> None:
        await self._settled()
        answer = await self._client.persistently("GET", f"{self._payments}/cards", headers=self._who, expect=200)
        if not answer.json()["items"]:
            return
        order = await self._order(self._plenty)
        body = {"order_id": order["id"], "card_id": answer.json()["items"][0]["id"]}
        headers = {**self._who, "Idempotency-Key": uuid4().hex}
        charged = await self._client.persistently("POST", f"{self._payments}/charge", json=body, headers=headers)
        if charged.status_code == 201:
            self._client.promised.payments.add(charged.json()["reference"])
        elif charged.status_code not in {409, 422}:
            raise NotSo(f"a saved card is charged: {charged.status_code} {charged.text[:200]}")

    async def _begin(self, product: Json | None = None) -> Json:
        return await self._start(await self._order(product or self._plenty))

    async def _order(self, product: Json) -> Json:
        try:
            return await self._client.order(self._who, product, self._dice.randint(1, 3))
        except Refused as refused:
            raise _too_late(refused, "out_of_stock") from refused

    async def _start(self, order: Json) -> Json:
        try:
            return await self._client.start(self._who, order)
        except Refused as refused:
            raise _too_late(refused, "order_not_payable") from refused

    async def _pay(self, payment: Json, **how: Any) -> None:
        """Until the sandbox says so, or that it was done before."""
        url = f"{self._client.env['SANDBOX_URL']}/sandbox/transactions/{payment['reference']}/pay"
        answer = await self._client.persistently("POST", url, json=how)
        if answer.status_code != 200 and code_of(answer) != "already_paid":
            raise NotSo(f"pay {payment['reference']}: {answer.status_code} {answer.text[:200]}")

    async def _ask_about(self, payment: Json) -> None:
        url = f"{self._payments}/{payment['reference']}/verify"
        await self._client.persistently("POST", url, headers=self._who, expect=200)

    async def _settled(self) -> Json:
        payment = await self._begin()
        await self._pay(payment)

        async def there() -> bool | None:
            await asyncio.sleep(0.3)
            url = f"{self._payments}/{payment['reference']}"
            answer = await self._client.persistently("GET", url, headers=self._who, expect=200)
            return True if answer.json()["status"] in SETTLED else None

        await until(there, 120)
        return payment

    async def _refund(self, payment: Json, **asked: int) -> None:
        """By an operator; where the order could not be delivered, there may be nothing left to give back."""
        headers = {**self._client.admin, "Idempotency-Key": uuid4().hex}
        url = f"{self._payments}/{payment['reference']}/refunds"
        answer = await self._client.persistently("POST", url, json=asked, headers=headers)
        if answer.status_code == 202:
            self._client.promised.refunds.add(answer.json()["id"])
        elif answer.status_code not in {409, 422}:
            raise NotSo(f"refund {payment['reference']}: {answer.status_code} {answer.text[:200]}")


def _too_late(refused: Refused, code: str) -> Exception:
    return TooLate(code) if refused.code == code else refused


KINDS: tuple[tuple[Callable[[Buyer], Awaitable[None]], int], ...] = (
    (Buyer.plainly, 25),
    (Buyer.told_thrice, 12),
    (Buyer.told_late, 8),
    (Buyer.never_told, 5),
    (Buyer.never_told_but_asks, 5),
    (Buyer.comes_back_at_once, 10),
    (Buyer.declined_then_paid, 6),
    (Buyer.pays_twice, 6),
    (Buyer.pays_too_little, 2),
    (Buyer.pays_other_money, 2),
    (Buyer.sends_all_back, 5),
    (Buyer.sends_some_back, 4),
    (Buyer.pays_when_it_expires, 5),
    (Buyer.cancels_and_pays, 3),
    (Buyer.pays_again_with_the_card, 2),
)
"""And how many of a hundred are like that."""
