"""Orders of one product under random actions, compared with a small model after each action.

All actions of an example share one transaction, which is rolled back: a commit and a new connection for each action would take most of the
time. Concurrency and HTTP are tested elsewhere (tests/integration/catalog).
"""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import ARRAY, BigInteger, Text, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import OrderUndeliverable, PaymentRefunded, PaymentSucceeded
from kit.audit.actor import Actor
from kit.auth import Caller
from services.catalog.db import sessions
from services.catalog.fulfilment import deliver, fulfil
from services.catalog.fulfilment.errors import OrderNotPaid, OverFulfilled, StepNotPossible
from services.catalog.fulfilment.schemas import FulfilItems
from services.catalog.models import OutboxRow
from services.catalog.order_models import Order
from services.catalog.orders import cancel, expiry, place
from services.catalog.orders.addresses import AddressFields
from services.catalog.orders.errors import OrderNotPending, OutOfStock
from services.catalog.orders.models import Delivery
from services.catalog.orders.order_customer import customer_of
from services.catalog.orders.schemas import PlaceOrder, RequestedItem
from services.catalog.stock.check import find_differences
from services.catalog.stock.edit import get_level, move_stock
from services.catalog.stock.schemas import MoveStock
from tests.factories.catalog import ADDRESS, add_product
from tests.factories.events import payment_refunded, payment_succeeded

PRICE = 10_000
STOCK = 4
STEPS = ["pack", "ship", "deliver"]
CUSTOMER = Caller(id="customer-1", email=None, scopes=frozenset({"orders:write"}), token="")

# One Core statement: it runs after every action.
SNAPSHOT = text("""
SELECT on_hand - reserved AS stock, array(
    SELECT status FROM unnest(CAST(:ids AS uuid[])) WITH ORDINALITY AS wanted (id, position) JOIN orders USING (id) ORDER BY position
) AS statuses
FROM stock_levels WHERE variant_id = :product_id
""").columns(stock=BigInteger, statuses=ARRAY(Text))


@dataclass
class Model:
    """The expected state. A payment is (index of the order, letter); refunds count even if they come before the payment."""

    kind: str
    stock: int = STOCK
    quantities: list[int] = field(default_factory=list)
    statuses: list[str] = field(default_factory=list)
    paid_by: dict[int, str] = field(default_factory=dict)
    refunds: dict[tuple[int, str], int] = field(default_factory=dict)
    payments: set[tuple[int, str]] = field(default_factory=set)
    delivered: set[tuple[int, str]] = field(default_factory=set)
    units: list[dict[str, int]] = field(default_factory=list)
    undeliverable: set[tuple[int, str]] = field(default_factory=set)

    def place(self, quantity: int) -> bool:
        if quantity > self.stock:
            return False
        self.stock -= quantity
        self.quantities.append(quantity)
        self.statuses.append("pending")
        self.units.append(dict.fromkeys(STEPS, 0))
        return True

    def give_up(self, n: int, status: str) -> None:
        if self.statuses[n] == "pending":
            self.statuses[n] = status
            self.stock += self.quantities[n]

    def pay(self, n: int, letter: str, right_amount: bool) -> None:
        # An event with another amount than the order's contradicts the order: it changes nothing.
        if not right_amount or (n, letter) in self.payments:
            return
        self.payments.add((n, letter))
        refunded = self.refunds.get((n, letter), 0) >= self.quantities[n] * PRICE
        status, fits = self.statuses[n], self.quantities[n] <= self.stock
        if status not in {"pending", "expired"} or (status == "expired" and not fits):
            self.undeliverable |= set() if refunded else {(n, letter)}
            return
        reserved = self.quantities[n] if status == "pending" else 0
        self.paid_by[n] = letter
        digital = self.kind == "digital"
        self.statuses[n] = "refunded" if refunded else "delivered" if digital else "paid"
        self.stock += reserved - (0 if refunded else self.quantities[n])
        self.delivered |= {(n, letter)} if digital and not refunded else set()

    def refund(self, n: int, letter: str, amount: int) -> None:
        amount = self.refunds[n, letter] = max(amount, self.refunds.get((n, letter), 0))
        paid = self.statuses[n] in {"paid", "delivered"} and self.paid_by[n] == letter
        if paid and amount >= self.quantities[n] * PRICE:
            self.statuses[n] = "refunded"
            # What was shipped or delivered stays sold.
            done = "deliver" if self.kind == "service" else "ship"
            self.stock += 0 if self.kind == "digital" else self.quantities[n] - self.units[n][done]

    def fulfil(self, n: int, step: str, quantity: int) -> bool:
        possible = self.statuses[n] == "paid" and (self.kind == "shipped" or step == "deliver")
        if not possible or self.units[n][step] + quantity > self.quantities[n]:
            return False
        done = self.units[n][step] + quantity
        for each in STEPS[: STEPS.index(step) + 1]:
            self.units[n][each] = max(self.units[n][each], done)
        if self.units[n]["deliver"] == self.quantities[n]:
            self.statuses[n] = "delivered"
            self.delivered.add((n, self.paid_by[n]))
        return True


class System:
    """The real orders, in one transaction."""

    def __init__(self, session: AsyncSession, kind: str) -> None:
        self.session = session
        self.kind = kind
        self.product_id = uuid4()
        self.ids: list[UUID] = []
        self.run = uuid4().hex

    async def create_product(self) -> None:
        self.product_id = await add_product(self.session, STOCK, price=PRICE, kind=self.kind)

    def reference(self, n: int, letter: str) -> str:
        return f"{self.run}-{n}{letter}"

    async def place(self, quantity: int) -> bool:
        address = None if self.kind != "shipped" else AddressFields(**ADDRESS)
        request = PlaceOrder(items=[RequestedItem(product_id=self.product_id, quantity=quantity)], address=address)
        try:
            order = await place.place_order(self.session, customer_of(CUSTOMER, None, None), request)
        except OutOfStock:  # nothing was changed: the only product was not reserved
            return False
        self.ids.append(order.id)
        return True

    async def cancel(self, n: int) -> bool:
        try:
            await cancel.cancel_order(self.session, CUSTOMER, str(self.ids[n]), actor=Actor("test"))
        except OrderNotPending:
            return False
        return True

    async def fulfil(self, n: int, step: str, quantity: int) -> bool:
        item = {"product_id": self.product_id, "quantity": quantity}
        request = FulfilItems.model_validate({"items": [item], "step": step})
        try:
            await fulfil.fulfil(self.session, str(self.ids[n]), request, Actor("test"))
        except (OrderNotPaid, OverFulfilled, StepNotPossible):  # nothing was changed
            return False
        return True

    async def expire(self, n: int) -> None:
        ended = update(Order).where(Order.id == self.ids[n]).values(expires_at=text("now() - interval '1 s'"))
        await self.session.execute(ended)
        await expiry.expire(self.session)

    async def receive(self, quantity: int) -> None:
        request = MoveStock(kind="received", quantity=quantity, reason="test")
        await move_stock(self.session, self.product_id, request, "key", Actor("test"))

    async def count(self, change: int) -> int:
        """Count the units, and find `change` more than expected, but not fewer than are reserved. Return the difference."""
        level = await get_level(self.session, self.product_id)
        counted = max(level.on_hand + change, level.reserved)
        request = MoveStock(kind="counted", quantity=counted, expected=level.on_hand, reason="test")
        await move_stock(self.session, self.product_id, request, "key", Actor("test"))
        return counted - level.on_hand

    async def statuses_and_stock(self) -> tuple[list[str], int | None]:
        """Return the statuses of the orders in the sequence in which they were placed, and the product's stock."""
        row = (await self.session.execute(SNAPSHOT, {"product_id": self.product_id, "ids": self.ids})).one()
        return row.statuses, row.stock

    async def delivered(self) -> set[str | None]:
        rows = await self.session.execute(select(Delivery.payment_reference).where(Delivery.order_id.in_(self.ids)))
        return set(rows.scalars())

    async def undeliverable(self) -> list[str]:
        bodies = (await self.session.execute(select(OutboxRow.body).order_by(OutboxRow.id))).scalars()
        references = [OrderUndeliverable.model_validate_json(body).data.reference for body in bodies]
        return sorted(reference for reference in references if reference.startswith(self.run))


numbers = st.integers(0, 2)
letters = st.sampled_from("aab")
kinds = st.sampled_from(["digital", "shipped", "shipped", "service"])
actions = st.lists(
    st.one_of(
        st.tuples(st.just("place"), st.integers(1, 3)),
        st.tuples(st.just("pay"), numbers, letters, st.sampled_from([True, True, True, False])),
        st.tuples(st.just("refund"), numbers, letters, st.sampled_from([0.5, 1, 1])),
        st.tuples(st.just("fulfil"), numbers, st.sampled_from(STEPS), st.integers(1, 2)),
        st.tuples(st.just("cancel"), numbers),
        st.tuples(st.just("expire"), numbers),
        st.tuples(st.just("repeat"), numbers),
        st.tuples(st.just("receive"), st.integers(1, 3)),
        st.tuples(st.just("count"), st.integers(-3, 3)),
        st.tuples(st.just("handle")),
    ),
    min_size=15,
    max_size=40,
)


@settings(max_examples=40)
@given(kinds, actions)
async def test_orders_when_actions_are_random_then_match_the_model(kind: str, actions: list[tuple[str, ...]]) -> None:
    await run(kind, actions)


@pytest.mark.drill
@settings(max_examples=500)
@given(kinds, actions)
async def test_orders_in_500_runs_of_random_actions_then_match_the_model(
    kind: str, actions: list[tuple[str, ...]]
) -> None:
    await run(kind, actions)


async def run(kind: str, actions: list[tuple[str, ...]]) -> None:
    """Run one example in a transaction of its own, which is rolled back."""
    async with sessions() as session:
        await check(System(session, kind), Model(kind), actions)
        await session.rollback()


async def check(system: System, model: Model, actions: list[tuple[str, ...]]) -> None:
    """Take the actions in the system and in the model; compare them after each."""
    await system.create_product()
    waiting: list[PaymentSucceeded | PaymentRefunded] = []
    handled: list[PaymentSucceeded | PaymentRefunded] = []

    begun: list[tuple[Any, ...]] = [("place", 1), ("place", 2)]
    if model.kind != "digital":  # so that random refunds find units in different states
        begun += [("pay", 1, "a", True), ("fulfil", 1, "ship" if model.kind == "shipped" else "deliver", 1)]
    for action, *rest in [*begun, *actions, ("handle",)]:
        n = rest[0] if rest and isinstance(rest[0], int) else 0
        exists = n < len(system.ids)
        if action == "pay" and exists:
            _, letter, right_amount = rest
            model.pay(n, str(letter), bool(right_amount))
            amount = model.quantities[n] * PRICE + (0 if right_amount else 1)
            waiting.append(payment_succeeded(system.ids[n], system.reference(n, str(letter)), amount))
            continue
        if action == "refund" and exists:
            _, letter, share = rest
            amount = model.quantities[n] * PRICE
            refunded = int(amount * float(share))
            model.refund(n, str(letter), refunded)
            waiting.append(payment_refunded(system.ids[n], system.reference(n, str(letter)), refunded, amount))
            continue
        # Events collect in one batch until another action is taken.
        changed = bool(waiting)
        if waiting:
            await deliver.handle(system.session, waiting)
            handled += waiting
            waiting = []
        if action == "place":
            assert await system.place(n) == model.place(n)
        elif action == "repeat" and handled:
            await deliver.handle(system.session, handled[-1 - n :])
        elif action == "cancel" and exists:
            cancelled = await system.cancel(n)
            model.give_up(n, "cancelled")
            assert cancelled == (model.statuses[n] == "cancelled")
        elif action == "fulfil" and exists:
            _, step, quantity = rest
            assert await system.fulfil(n, str(step), int(quantity)) == model.fulfil(n, str(step), int(quantity))
        elif action == "receive":
            await system.receive(n)
            model.stock += n
        elif action == "count":
            model.stock += await system.count(n)
        elif action == "expire" and exists:
            await system.expire(n)
            model.give_up(n, "expired")
        elif not changed:
            continue
        assert await system.statuses_and_stock() == (model.statuses, model.stock)

    assert await find_differences(system.session) == []
    assert await system.delivered() == {system.reference(n, letter) for n, letter in model.delivered}
    assert await system.undeliverable() == sorted(system.reference(n, letter) for n, letter in model.undeliverable)
