"""Whatever happens to orders of one product, in any order and twice: the database says what a small model says."""

from dataclasses import dataclass, field
from uuid import UUID, uuid4

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.events import PaymentRefunded, PaymentSucceeded
from tests.catalog.shop import (
    Headers,
    deliveries,
    handle,
    left,
    order,
    product,
    refunded,
    status,
    succeeded,
    sweep,
    time_is_over,
    told,
)

PRICE = 100
STOCK = 4


@dataclass
class Model:
    """What ought to be, one step at a time. A payment is `order number, letter`; its refunds are remembered before it is."""

    left: int = STOCK
    quantities: list[int] = field(default_factory=list)
    statuses: list[str] = field(default_factory=list)
    settled_by: dict[int, str] = field(default_factory=dict)
    refunds: dict[tuple[int, str], int] = field(default_factory=dict)
    heard: set[tuple[int, str]] = field(default_factory=set)
    delivered: set[tuple[int, str]] = field(default_factory=set)
    told: set[tuple[int, str]] = field(default_factory=set)

    def place(self, quantity: int) -> bool:
        if quantity > self.left:
            return False
        self.left -= quantity
        self.quantities.append(quantity)
        self.statuses.append("pending")
        return True

    def give_up(self, n: int, to: str) -> None:
        if self.statuses[n] == "pending":
            self.statuses[n] = to
            self.left += self.quantities[n]

    def pay(self, n: int, letter: str, right: bool) -> None:
        if (n, letter) in self.heard:
            return
        self.heard.add((n, letter))
        amount = self.quantities[n] * PRICE + (0 if right else 1)
        whole = self.refunds.get((n, letter), 0) >= amount
        status, fits = self.statuses[n], self.quantities[n] <= self.left
        if not right or status not in {"pending", "expired"} or (status == "expired" and not fits):
            self.told |= set() if whole else {(n, letter)}
            return
        held = self.quantities[n] if status == "pending" else 0
        self.settled_by[n] = letter
        self.statuses[n] = "refunded" if whole else "delivered"
        self.left += held - (0 if whole else self.quantities[n])
        self.delivered |= set() if whole else {(n, letter)}

    def refund(self, n: int, letter: str, amount: int) -> None:
        amount = self.refunds[n, letter] = max(amount, self.refunds.get((n, letter), 0))
        if self.statuses[n] == "delivered" and self.settled_by[n] == letter and amount >= self.quantities[n] * PRICE:
            self.statuses[n] = "refunded"
            self.left += self.quantities[n]


numbers = st.integers(0, 2)
letters = st.sampled_from("aab")
steps = st.lists(
    st.one_of(
        st.tuples(st.just("place"), st.integers(1, 3)),
        st.tuples(st.just("pay"), numbers, letters, st.sampled_from([True, True, True, False])),
        st.tuples(st.just("refund"), numbers, letters, st.sampled_from([0.5, 1, 1])),
        st.tuples(st.just("cancel"), numbers),
        st.tuples(st.just("lapse"), numbers),
        st.tuples(st.just("repeat"), numbers),
        st.tuples(st.just("commit")),
    ),
    min_size=15,
    max_size=40,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
async def test_orders_live_as_the_model_says(
    client: httpx.AsyncClient, buyer: Headers, steps: list[tuple[str, ...]]
) -> None:
    model, cup, run = Model(), await product(STOCK, price=PRICE), uuid4().hex
    ids: list[UUID] = []
    waiting: list[PaymentSucceeded | PaymentRefunded] = []
    past: list[PaymentSucceeded | PaymentRefunded] = []

    for kind, *rest in [("place", 1), ("place", 2), *steps, ("commit",)]:
        n = rest[0] if rest and isinstance(rest[0], int) else 0
        if kind == "pay" and n < len(ids):
            _, letter, right = rest
            model.pay(n, str(letter), bool(right))
            amount = model.quantities[n] * PRICE + (0 if right else 1)
            waiting.append(succeeded(ids[n], f"{run}-{n}{letter}", amount))
            continue
        if kind == "refund" and n < len(ids):
            _, letter, share = rest
            amount = model.quantities[n] * PRICE
            model.refund(n, str(letter), int(amount * float(share)))
            waiting.append(refunded(ids[n], f"{run}-{n}{letter}", int(amount * float(share)), amount))
            continue
        # Events wait for each other in one batch, until something else happens.
        if waiting:
            await handle(*waiting)
            past += waiting
            waiting = []
        if kind == "place":
            answer = await order(client, buyer, {cup: n})
            assert (answer.status_code == 201) == model.place(n)
            ids += [UUID(answer.json()["id"])] if answer.status_code == 201 else []
        elif kind == "repeat" and past:
            await handle(*past[-1 - n :])
        elif kind == "cancel" and n < len(ids):
            await client.post(f"/catalog/orders/{ids[n]}/cancel", headers=buyer)
            model.give_up(n, "cancelled")
        elif kind == "lapse" and n < len(ids):
            await time_is_over(ids[n])
            await sweep()
            model.give_up(n, "expired")
        assert [await status(each) for each in ids] == model.statuses
        assert await left(cup) == model.left

    delivered = {reference for of, reference in (await deliveries()).items() if of in ids}
    assert delivered == {f"{run}-{n}{letter}" for n, letter in model.delivered}
    wanting = sorted(reference for reference, _ in await told() if reference.startswith(run))
    assert wanting == sorted(f"{run}-{n}{letter}" for n, letter in model.told)
