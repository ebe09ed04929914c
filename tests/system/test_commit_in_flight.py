"""The connection is cut while COMMIT is on its way: nobody knows whether it happened, and asking again ends with one of each."""

import hashlib
import random
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from dev.stack.stack import Stack
from tests.proxy import Proxy
from tests.system.invariants import Invariants
from tests.system.shop import Json, Shop

TRIALS = [30, pytest.param(200, marks=pytest.mark.drill)]
pytestmark = pytest.mark.usefixtures("invariants")


@pytest.fixture(scope="module")
async def proxies(stack: Stack) -> AsyncIterator[dict[str, tuple[str, Proxy]]]:
    """A second catalog and a second payments, whose way to the database can be cut: their addresses, and the way."""
    async with (
        Proxy(stack.env["CATALOG_DATABASE_URL"]) as catalog,
        Proxy(stack.env["PAYMENTS_DATABASE_URL"]) as payments,
    ):
        made = {}
        parts = []
        try:
            for name, proxy in (("catalog", catalog), ("payments", payments)):
                part, url = stack.replica(name, {f"{name.upper()}_DATABASE_URL": proxy.url})
                parts.append(part)
                await part.start()
                made[name] = (url, proxy)
            yield made
        finally:
            for part in parts:
                await part.stop()


class Trial:
    """One request, sent again until it is answered."""

    def __init__(self, shop: Shop, way: tuple[str, Proxy]) -> None:
        self.shop = shop
        self.url, self.proxy = way

    async def ask(self, path: str, word: bytes, moments: random.Random, nth: int, **how: Any) -> httpx.Response:
        self.proxy.cut_at(word, moments.randint(1, nth), arrives=moments.random() < 0.7)
        answer = await self.shop.retry("POST", f"{self.url}{path}", **how)
        assert self.proxy.has_cut
        return answer


async def _one(stack: Stack, service: str, query: str) -> int:
    return int((await Invariants(stack).rows(service, f"SELECT count(*) FROM {query}"))[0][0])


async def _order(shop: Shop, trial: Trial, moments: random.Random) -> None:
    buyer, sub = _buyer(shop)
    product = await shop.product(stock=5)
    body = {"items": [{"product_id": product["id"], "quantity": 2}]}
    headers = {**buyer, "Idempotency-Key": uuid4().hex}
    answer = await trial.ask("/catalog/orders", b"COMMIT", moments, 1, json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    again = await shop.retry("POST", f"{trial.url}/catalog/orders", json=body, headers=headers)
    assert again.json()["id"] == answer.json()["id"]
    assert await _one(shop.stack, "catalog", f"orders WHERE customer_id = '{sub}'") == 1
    assert await _one(shop.stack, "catalog", f"idempotency_keys WHERE caller = '{sub}'") == 1
    assert await shop.stock(product) == 3


async def _payment(shop: Shop, trial: Trial, moments: random.Random) -> None:
    """Four commits: the key, the reference, Paystack's answer, ours. What an earlier try began, nobody was told."""
    buyer, sub = _buyer(shop)
    order = await shop.order(buyer, await shop.product())
    headers = {**buyer, "Idempotency-Key": uuid4().hex}
    body = {"order_id": order["id"]}
    answer = await trial.ask("/payments", b"COMMIT", moments, 4, json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    again = await shop.retry("POST", f"{trial.url}/payments", json=body, headers=headers)
    assert again.json() == answer.json()
    assert await _one(shop.stack, "payments", f"idempotency_keys WHERE caller = '{sub}' AND status = 201") == 1
    assert await _one(shop.stack, "payments", f"payments WHERE payer_id = '{sub}'") <= 2
    await shop.pay(answer.json()["reference"])
    await shop.delivered(buyer, order)


async def _webhook(shop: Shop, trial: Trial, moments: random.Random) -> None:
    buyer, order, payment = await shop.begun(await shop.product())
    data = {
        "id": moments.randrange(10**12),
        "reference": payment["reference"],
        "status": "success",
        "amount": 50_000,
        "currency": "NGN",
        "domain": "test",
    }
    raw, headers = shop.signed({"event": "charge.success", "data": data})
    key = hashlib.sha256(raw).hexdigest()
    path = "/payments/webhooks/paystack"
    answer = await trial.ask(path, key.encode(), moments, 1, content=raw, headers=headers)
    assert answer.status_code == 200
    assert await _one(shop.stack, "payments", f"notices WHERE key = '{key}'") == 1
    await shop.delivered(buyer, order)


async def _refund(shop: Shop, trial: Trial, moments: random.Random) -> None:
    buyer, order, payment = await shop.bought(await shop.product())
    await shop.delivered(buyer, order)
    path = f"/payments/{payment['reference']}/refunds"
    headers = {**shop.admin, "Idempotency-Key": uuid4().hex}
    answer = await trial.ask(path, b"COMMIT", moments, 1, json={"amount": 1_000}, headers=headers)
    assert answer.status_code == 202, answer.text
    wanted = f"refunds JOIN payments ON payments.id = payment_id WHERE reference = '{payment['reference']}'"
    assert await _one(shop.stack, "payments", wanted) == 1


def _buyer(shop: Shop) -> tuple[Json, str]:
    sub = str(uuid4())
    return shop.bearer(sub), sub


@pytest.mark.parametrize("trials", TRIALS)
async def test_a_commit_that_nobody_knows_of(shop: Shop, proxies: dict[str, tuple[str, Proxy]], trials: int) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    moments = random.Random(seed)
    kinds = [(_order, "catalog"), (_payment, "payments"), (_webhook, "payments"), (_refund, "payments")]
    for number in range(trials):
        what, service = kinds[number % len(kinds)]
        await what(shop, Trial(shop, proxies[service]), moments)
