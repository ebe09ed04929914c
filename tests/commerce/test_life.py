"""Whatever happens to a shop, in whatever order, twice, half, or not at all: in the end it says what a small model says.

The real nouns of catalog and payments, on their databases, in one process. A process may die at any statement, commit or call of Paystack.
"""

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from services.payments import db as payments_db
from services.payments.reconciliation import ledger_check
from services.payments.reconciliation.report import Report
from tests.commerce.house import OPEN, Transaction, of
from tests.commerce.model import Model, Ordered
from tests.commerce.shop import Json, Shop

T = TypeVar("T")
STOCK, PRICE, DEAR = 3, 50_000, 60_000
ANY = st.integers(0, 5)
ENDS = ("pending", "cancelled", "expired", "delivered", "refunded")
REFUNDERS = ("catalog", "operator-1", "paystack")


class Life(RuleBasedStateMachine):
    def __init__(self, shop: Shop, loop: asyncio.AbstractEventLoop, seen: set[str]) -> None:
        super().__init__()
        self.seen = seen
        self.shop = shop
        self.loop = loop
        self.model = Model()
        self.price = PRICE
        self.do(shop.anew())
        self.product = self.do(shop.product(STOCK, PRICE))

    def do(self, step: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(step, self.loop).result(60)

    @property
    def transactions(self) -> list[Transaction]:
        return list(self.shop.house.transactions.values())

    def transaction(self, number: int) -> Transaction:
        return of(number, self.transactions)  # type: ignore[no-any-return]

    def order_id(self, number: int) -> str:
        return str(of(number, list(self.model.orders)))

    # What buyers do.

    @rule(quantity=st.sampled_from([1, 1, 2]))
    def order(self, quantity: int) -> None:
        answer = self.do(self.shop.order(self.product, quantity))
        if answer.status_code == 201:
            placed = answer.json()
            assert placed["amount"] == self.price * quantity
            self.model.orders[placed["id"]] = Ordered(placed["amount"], quantity)
        else:
            assert (answer.status_code, answer.json()["code"]) == (409, "out_of_stock")

    @initialize(
        quantities=st.lists(st.sampled_from([1, 1, 2]), min_size=1, max_size=3),
        paid=st.lists(st.booleans(), max_size=3),
    )
    def open_the_shop(self, quantities: list[int], paid: list[bool]) -> None:
        """So that there is something to go wrong with."""
        for quantity in quantities:
            self.order(quantity)
        for number, is_paid in enumerate(paid):
            self.start(number)
            if is_paid:
                self.pay(number, "paid", told=True)

    @precondition(lambda self: self.model.orders)
    @rule(number=ANY)
    def start(self, number: int) -> None:
        order_id = self.order_id(number)
        self.do(self.shop.asked("POST", "/payments", {"order_id": order_id}))
        for reference, order in self.do(self.shop.rows(self.shop.payments, "SELECT reference, order_id FROM payments")):
            if reference not in self.model.pays and str(order) in self.model.orders:
                self.model.pays[reference] = str(order)
                if (one := self.shop.house.transactions.get(reference)) is not None:
                    assert one.asked == self.model.orders[str(order)].amount

    @precondition(lambda self: self.model.orders)
    @rule(number=ANY)
    def cancel(self, number: int) -> None:
        order_id = self.order_id(number)
        answer = self.do(self.shop.asked("POST", f"/catalog/orders/{order_id}/cancel"))
        assert answer.status_code == 200 or answer.json()["code"] == "order_not_pending"
        self.model.orders[order_id].cancelled |= answer.status_code == 200

    @precondition(lambda self: self.transactions)
    @rule(
        number=ANY,
        how=st.sampled_from(["paid"] * 4 + ["paid with fees", "short", "foreign", "failed"]),
        told=st.booleans(),
    )
    def pay(self, number: int, how: str, told: bool) -> None:
        one, house = self.transaction(number), self.shop.house
        if one.status == "success":
            return
        match how:
            case "paid with fees":
                house.pay(one, "success", paid=one.asked + 750, fees=750)
            case "short":
                house.pay(one, "success", paid=one.asked - 1)
            case "foreign":
                house.pay(one, "success", paid=one.asked, currency="GHS")
            case "failed":
                house.pay(one, "failed", paid=0)
            case _:
                house.pay(one, "success", paid=one.asked)
        if not told and how != "failed":
            house.lost.append(house.mail.pop())

    @precondition(lambda self: all(one.reference.startswith("pay-") for one in self.transactions))
    @rule(quantity=st.sampled_from([1, 2]))
    def transfer(self, quantity: int) -> None:
        self.shop.house.stranger(f"dva-{uuid4().hex}", PRICE * quantity)

    @precondition(lambda self: self.transactions)
    @rule(number=ANY)
    def verify(self, number: int) -> None:
        self.do(self.shop.asked("POST", f"/payments/{self.transaction(number).reference}/verify"))

    # What the bank does.

    @precondition(lambda self: any(one.left > 0 for one in self.transactions))
    @rule(number=ANY, share=st.sampled_from([1, 0.5]))
    def refund_on_the_dashboard(self, number: int, share: float) -> None:
        one = of(number, [one for one in self.transactions if one.left > 0])
        self.shop.house.refund(one, max(1, int(one.left * share)))

    @precondition(lambda self: any(r["status"] in OPEN for one in self.transactions for r in one.refunds))
    @rule(number=ANY, status=st.sampled_from(["processing", "processed", "processed", "failed"]))
    def refund_goes_on(self, number: int, status: str) -> None:
        one, refund = of(number, [(t, r) for t in self.transactions for r in t.refunds if r["status"] in OPEN])
        self.shop.house.end_refund(one, refund, status)

    @precondition(lambda self: any(one.left > 0 and one.dispute is None for one in self.transactions))
    @rule(number=ANY, share=st.sampled_from([1, 0.4]))
    def complain(self, number: int, share: float) -> None:
        one = of(number, [one for one in self.transactions if one.left > 0 and one.dispute is None])
        self.shop.house.complain(one, max(1, int(one.paid * share)))

    @precondition(lambda self: any(_is_disputed(one) for one in self.transactions))
    @rule(number=ANY, lost=st.booleans(), listed=st.booleans())
    def decide_dispute(self, number: int, lost: bool, listed: bool) -> None:
        one = of(number, [one for one in self.transactions if _is_disputed(one)])
        enough = one.left >= one.dispute["refund_amount"]
        self.shop.house.end_dispute(one, lost=lost and enough, listed=listed)

    @precondition(lambda self: self.shop.house.mail)
    @rule(number=ANY, fate=st.sampled_from(["once", "once", "twice", "lost"]))
    def post(self, number: int, fate: str) -> None:
        """A notice comes, comes again later, or never does."""
        house = self.shop.house
        notice = of(number, house.mail)
        if fate == "lost":
            house.lost.append(notice)
        else:
            self.do(self.shop.deliver(notice))
        if fate != "twice":
            house.mail.remove(notice)

    # What operators do.

    @precondition(lambda self: self.transactions)
    @rule(number=ANY, amount=st.sampled_from([None, None, 10_000, 50_000]))
    def refund(self, number: int, amount: int | None) -> None:
        self.do(self.shop.refund(self.transaction(number).reference, **({"amount": amount} if amount else {})))

    @precondition(lambda self: any(one.reference.startswith("pay-") for one in self.transactions))
    @rule(number=ANY)
    def accept(self, number: int) -> None:
        one = of(number, self._held([one for one in self.transactions if one.reference.startswith("pay-")]))
        self._decide(one.reference, "accept", {"reason": "a regular"})

    @precondition(lambda self: self.model.orders and any(not o.reference.startswith("pay-") for o in self.transactions))
    @rule(number=ANY, other=ANY)
    def bind(self, number: int, other: int) -> None:
        one = of(other, self._held([one for one in self.transactions if not one.reference.startswith("pay-")]))
        order_id = self.order_id(number)
        if self._decide(one.reference, "bind", {"reason": "by phone", "order_id": order_id}):
            self.model.pays[one.reference] = order_id

    def _held(self, among: list[Transaction]) -> list[Transaction]:
        """Where any waits for a person, those: decisions about others are tried often enough."""
        rows = self.do(self.shop.rows(self.shop.payments, "SELECT reference FROM payments WHERE status = 'held'"))
        held = {row.reference for row in rows}
        return [one for one in among if one.reference in held] or among

    def _decide(self, reference: str, verb: str, body: Json) -> bool:
        self.do(self.shop.asked("POST", f"/payments/{reference}/{verb}", body, by=self.shop.operator))
        # Whoever died after the commit had decided.
        query = "SELECT p.order_id FROM decisions JOIN payments p ON p.id = payment_id WHERE reference = :of AND decision = :verb"
        rows = self.do(self.shop.rows(self.shop.payments, query, of=reference, verb=verb))
        if rows and reference not in self.model.decided:
            self.model.decided.add(reference)
            return verb != "bind" or str(rows[0][0]) == body["order_id"]
        return False

    @rule(price=st.sampled_from([PRICE, DEAR]))
    def reprice(self, price: int) -> None:
        path = f"/catalog/products/{self.product}"
        self.do(self.shop.asked("PATCH", path, {"price": price}, by=self.shop.operator))
        self.price = price

    # What happens by itself.

    @precondition(lambda self: self.model.orders)
    @rule(number=ANY)
    def lapse(self, number: int) -> None:
        self.do(self.shop.lapse(self.order_id(number)))
        self.model.orders[self.order_id(number)].lapsed = True

    @rule(what=st.sampled_from(["settle", "settle", "settle", "sweep", "refund", "watch", "expire"]))
    def work(self, what: str) -> None:
        self.do(self.shop.fuse.through(lambda: self.shop.work(what)))

    @rule(ours=st.booleans(), confirmed=st.sampled_from([True, True, False]))
    def relay(self, ours: bool, confirmed: bool) -> None:
        desks = (self.shop.payments, self.shop.catalog) if ours else (self.shop.catalog, self.shop.payments)
        self.do(self.shop.fuse.through(lambda: desks[0].relay(desks[1], confirmed=confirmed)))

    @rule(ours=st.booleans(), order=st.randoms(use_true_random=False), acked=st.sampled_from([True, True, False]))
    def consume(self, ours: bool, order: Any, acked: bool) -> None:
        desk = self.shop.payments if ours else self.shop.catalog
        which = order.sample(range(len(desk.queue)), order.randint(0, len(desk.queue)))
        self.do(self.shop.fuse.through(lambda: desk.take(which, acked=acked)))

    @rule()
    def hours_pass(self) -> None:
        self.do(self.shop.hours_pass())

    @rule()
    def everything_has_its_turn(self) -> None:
        self.do(self.shop.receive())
        self.do(self.shop.fuse.through(self.shop.turn))

    @rule(touches=st.integers(0, 25))
    def crash(self, touches: int) -> None:
        """The process that works next dies after so many touches, if it does not end before."""
        self.shop.fuse.left = touches

    @rule()
    def lose_an_answer(self) -> None:
        self.shop.house.lose = 1

    def teardown(self) -> None:
        self.do(self._end())

    async def _end(self) -> None:
        shop = self.shop
        shop.fuse.left, shop.house.lose = None, 0
        await shop.reconnected()
        for turn in range(12):
            await shop.round()
            if turn == 2:
                shop.house.mail += await self._found_by_backfill()
            for one in self.transactions:
                for refund in [refund for refund in one.refunds if refund["status"] in OPEN]:
                    shop.house.end_refund(one, refund, "processed")
            await self._a_person_looks()
            if turn > 2 and await shop.waiting() == []:
                break
        assert await shop.waiting() == []
        await self._check()

    async def _a_person_looks(self) -> None:
        """Gives back what is held still, and asks again for what was to go back and failed to, where nothing is delivered for it."""
        delivered = {
            row[0] for row in await self.shop.rows(self.shop.catalog, "SELECT payment_reference FROM deliveries")
        }
        query = (
            "SELECT DISTINCT reference FROM payments LEFT JOIN refunds ON payment_id = payments.id"
            " WHERE payments.status = 'held' OR (refunds.status = 'failed' AND refunded_amount < paid_amount)"
        )
        for (reference,) in await self.shop.rows(self.shop.payments, query):
            if reference not in delivered:
                await self.shop.refund(reference)

    async def _found_by_backfill(self) -> list[Json]:
        """Of the notices that were lost, those about which nobody would ask: refunds made elsewhere, payments that we do not wait for."""
        query = "SELECT reference FROM payments WHERE status <> 'abandoned' AND payer_id IS NOT NULL"
        asked = {row.reference for row in await self.shop.rows(self.shop.payments, query)}
        return [
            n for n in self.shop.house.lost if n["event"] != "charge.success" or n["data"]["reference"] not in asked
        ]

    async def _check(self) -> None:
        shop = self.shop
        payments = "SELECT reference, status, held_reason, paid_amount, refunded_amount FROM payments"
        orders = (
            "SELECT orders.*, deliveries.payment_reference AS delivered FROM orders"
            " LEFT JOIN deliveries ON order_id = orders.id"
        )
        refunders: dict[str, set[str]] = {}
        query = "SELECT reference, requested_by FROM refunds JOIN payments ON payments.id = payment_id"
        for reference, who in await shop.rows(shop.payments, query):
            refunders.setdefault(reference, set()).add(who)
        found = {str(row.id): row for row in await shop.rows(shop.catalog, orders)}
        self.model.check(
            shop.house, found, {row.reference: row for row in await shop.rows(shop.payments, payments)}, refunders
        )
        sold = sum(
            self.model.orders[of_].quantity for of_, row in found.items() if row.status in {"pending", "delivered"}
        )
        assert [tuple(row) for row in await shop.rows(shop.catalog, "SELECT stock FROM products")] == [(STOCK - sold,)]
        await self._check_books()
        self.seen.update(row.status for row in found.values())
        self.seen.update(f"refund by {who}" for each in refunders.values() for who in each)
        self.seen.update(*await shop.rows(shop.payments, "SELECT decision FROM decisions"))

    async def _check_books(self) -> None:
        now = datetime.now(UTC)
        report = Report(since=now - timedelta(days=1), until=now + timedelta(days=1))
        await ledger_check.compare(payments_db.sessions, report)
        assert report.differences == []
        query = "SELECT currency, sum(amount), sum(amount) FILTER (WHERE account = 'paystack:receivable') FROM ledger_entries GROUP BY 1"
        balances = {row[0]: (row[1], row[2]) for row in await self.shop.rows(self.shop.payments, query)}
        for currency, (total, receivable) in balances.items():
            there = [one for one in self.transactions if one.paid_currency == currency]
            kept = sum(min(o.dispute["refund_amount"], o.paid) for o in there if o.dispute and _is_disputed(o))
            assert (total, receivable) == (0, sum(o.paid - o.back - (o.fees or 0) for o in there) - kept)


def _is_disputed(one: Transaction) -> bool:
    return one.dispute is not None and one.dispute["status"] != "resolved"


async def _lives(shop: Shop, examples: int, *more: Phase) -> set[str]:
    """The machine is synchronous: it runs beside the loop, and its steps on it. What became of orders and payments."""
    loop = asyncio.get_running_loop()
    seen: set[str] = set()
    how = settings(
        max_examples=examples,
        stateful_step_count=30,
        deadline=None,
        print_blob=True,
        phases=[Phase.reuse, Phase.generate, *more],
        suppress_health_check=list(HealthCheck),
    )
    make: Any = lambda: Life(shop, loop, seen)  # noqa: E731 -- the type asks for a class, what it calls is a factory
    await asyncio.to_thread(run_state_machine_as_test, make, settings=how)
    return seen


async def test_a_shop_lives_as_the_model_says(shop: Shop) -> None:
    assert await _lives(shop, 30)


@pytest.mark.drill
async def test_five_hundred_lives(shop: Shop) -> None:
    assert await _lives(shop, 500, Phase.shrink) >= {
        *ENDS,
        *(f"refund by {who}" for who in REFUNDERS),
    }
