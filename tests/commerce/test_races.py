"""Two that want opposite things of one order at the same moment: one of them is first, both outcomes occur, and no money is in between."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest

from tests.commerce.house import OPEN, Transaction
from tests.commerce.shop import Shop

ROUNDS, MANY = 40, 200


@pytest.fixture
def chance() -> random.Random:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    return random.Random(seed)


async def together(chance: random.Random, *racers: Callable[[], Awaitable[object]]) -> None:
    """Mostly at once, within a few milliseconds; at times one after the other, so that each order of commits occurs."""
    if chance.random() < 0.3:
        for racer in chance.sample(racers, len(racers)):
            await racer()
        return

    async def run(racer: Callable[[], Awaitable[object]]) -> None:
        await asyncio.sleep(chance.uniform(0, 0.006))
        await racer()

    await asyncio.gather(*(run(racer) for racer in racers))


async def started(shop: Shop, product: str) -> tuple[str, Transaction]:
    """An order, and its payment at Paystack."""
    order = (await shop.order(product)).json()["id"]
    answer = await shop.asked("POST", "/payments", {"order_id": order})
    return order, shop.house.transactions[answer.json()["reference"]]


async def told(shop: Shop, one: Transaction) -> None:
    """It is paid and settled, and the event lies on catalog's queue."""
    shop.house.pay(one, "success", paid=one.asked)
    await shop.receive()
    await shop.work("settle")
    await shop.payments.relay(shop.catalog)


async def at_rest(shop: Shop) -> None:
    for _ in range(8):
        await shop.round()
        for one in shop.house.transactions.values():
            for refund in [refund for refund in one.refunds if refund["status"] in OPEN]:
                shop.house.end_refund(one, refund, "processed")
        if not await shop.waiting():
            return
    raise AssertionError(await shop.waiting())


async def order_status(shop: Shop, order: str) -> str:
    ((status,),) = await shop.rows(shop.catalog, "SELECT status FROM orders WHERE id = :of", of=order)
    return str(status)


async def settled(shop: Shop, orders: dict[str, Transaction], unsold: str) -> Counter[str]:
    """How it ended: each order delivered, or its money wholly back; with our books saying the same."""
    await at_rest(shop)
    ends: Counter[str] = Counter()
    for order, one in orders.items():
        status = await order_status(shop, order)
        query = "SELECT refunded_amount FROM payments WHERE reference = :of"
        assert [row[0] for row in await shop.rows(shop.payments, query, of=one.reference)] == [one.back]
        assert (status, one.back) in {("delivered", 0), (unsold, one.paid)}
        assert sum(refund["status"] == "processed" for refund in one.refunds) == (status == unsold)
        ends[status] += 1
    return ends


async def expiry_and_success(shop: Shop, chance: random.Random, rounds: int) -> Counter[str]:
    orders, rivals = {}, 0
    for _ in range(rounds):
        product = await shop.product(1, 50_000)
        order, one = await started(shop, product)
        await told(shop, one)
        await shop.lapse(order)
        answers: list[int] = []

        async def rival(product: str = product, answers: list[int] = answers) -> None:
            await shop.work("expire")
            answers.append((await shop.order(product)).status_code)

        await together(chance, lambda: shop.catalog.take([0], acked=True), rival)
        orders[order] = one
        rivals += answers == [201]
        # The last one is sold once: to the one or to the other.
        assert (answers == [409]) == (await order_status(shop, order) == "delivered")
    ends = await settled(shop, orders, "expired")
    assert rivals == ends["expired"]
    return ends


async def cancelling_and_success(shop: Shop, chance: random.Random, rounds: int) -> Counter[str]:
    orders, said = {}, {}
    for _ in range(rounds):
        order, one = await started(shop, await shop.product(1, 50_000))
        await told(shop, one)

        async def cancel(order: str = order) -> None:
            said[order] = (await shop.asked("POST", f"/catalog/orders/{order}/cancel")).status_code

        await together(chance, lambda: shop.catalog.take([0], acked=True), cancel)
        orders[order] = one
    ends = await settled(shop, orders, "cancelled")
    assert Counter(said.values()) == {200: ends["cancelled"], 409: ends["delivered"]}
    return ends


async def refund_and_lost_dispute(shop: Shop, chance: random.Random, rounds: int) -> Counter[str]:
    """Of the two that give the money back, one does. Where the refund was first, there is nothing left to lose."""
    orders = {}
    for _ in range(rounds):
        order, one = await started(shop, await shop.product(1, 50_000))
        await told(shop, one)
        await shop.catalog.take([0], acked=True)
        shop.house.complain(one, one.paid)
        await shop.receive()
        await shop.work("settle")

        async def refund(one: Transaction = one) -> None:
            await shop.refund(one.reference)
            await shop.work("refund")

        # The dispute ends before, between or in the middle of the refunder's calls of Paystack.
        moment = shop.house.touched + chance.randint(0, 4)
        refunding = asyncio.create_task(refund())
        while shop.house.touched < moment and not refunding.done():  # noqa: ASYNC110 -- a count rings no bell
            await asyncio.sleep(0)
        shop.house.end_dispute(one, lost=one.left >= one.paid, listed=chance.random() < 0.5)
        await shop.receive()
        await shop.work("settle")
        await shop.work("watch")
        await refunding
        orders[order] = one
    await at_rest(shop)
    for order, one in orders.items():
        query = "SELECT status, refunded_amount FROM payments WHERE reference = :of"
        found = [tuple(row) for row in await shop.rows(shop.payments, query, of=one.reference)]
        assert (found, one.back) == ([("refunded", one.paid)], one.paid)
        assert await order_status(shop, order) == "refunded"
    return Counter(one.dispute["resolution"] for one in orders.values() if one.dispute)


async def test_expiry_and_success(shop: Shop, chance: random.Random) -> None:
    assert set(await expiry_and_success(shop, chance, ROUNDS)) == {"delivered", "expired"}


async def test_cancelling_and_success(shop: Shop, chance: random.Random) -> None:
    assert set(await cancelling_and_success(shop, chance, ROUNDS)) == {"delivered", "cancelled"}


async def test_a_refund_and_a_lost_dispute(shop: Shop, chance: random.Random) -> None:
    assert set(await refund_and_lost_dispute(shop, chance, ROUNDS)) == {"auto-accepted", "declined"}


@pytest.mark.drill
@pytest.mark.parametrize("race", [expiry_and_success, cancelling_and_success, refund_and_lost_dispute])
async def test_two_hundred_times(
    shop: Shop, chance: random.Random, race: Callable[[Shop, random.Random, int], Awaitable[Counter[str]]]
) -> None:
    assert len(await race(shop, chance, MANY)) == 2
