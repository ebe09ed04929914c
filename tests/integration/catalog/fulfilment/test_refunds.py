"""Each row of the refund rules, through the events of payments: stock, status, and what the customer sees."""

import asyncio
from uuid import UUID, uuid4

import httpx
import pytest

from contracts.events import Event, PaymentRefunded, PaymentRefundedData
from services.catalog.fulfilment.refund_rules import REFUND_RULES, RepaymentKind, UnitState
from tests.factories.catalog import ADDRESS, Headers, create_order, create_product, fulfil
from tests.factories.events import PRICE, dispute_resolved, payment_refunded, payment_succeeded
from tests.fixtures.catalog import handle_events, status_of, stock_differences, stock_of

KINDS = {
    UnitState.UNFULFILLED: "shipped",
    UnitState.SHIPPED: "shipped",
    UnitState.DIGITAL_DELIVERED: "digital",
    UnitState.SERVICE_DELIVERED: "service",
}
STEPS = {UnitState.UNFULFILLED: "pack", UnitState.SHIPPED: "ship", UnitState.SERVICE_DELIVERED: "deliver"}
AMOUNT = 3 * PRICE


async def paid_order(
    client: httpx.AsyncClient, editor: Headers, customer: Headers, cup: UUID, state: UnitState, quantity: int = 3
) -> UUID:
    """Place an order of three units, pay for it, and bring so many of its units into a state."""
    order = await create_order(client, customer, {cup: 3}, ADDRESS)
    await handle_events(payment_succeeded(order, "r1", AMOUNT))
    if state in STEPS:
        answer = await fulfil(client, editor, order, {cup: quantity}, step=STEPS[state])
        assert answer.status_code == 201, answer.text
    return order


def events(order: UUID, how: RepaymentKind) -> list[Event]:
    refund = payment_refunded(order, "r1", AMOUNT - 1 if how == RepaymentKind.PARTIAL_REFUND else AMOUNT, AMOUNT)
    lost = dispute_resolved(order, "r1", lost=True, amount=AMOUNT)
    return [lost, refund] if how == RepaymentKind.DISPUTE_LOST else [refund]


@pytest.mark.parametrize(("state", "how"), list(REFUND_RULES), ids=str)
async def test_refund_when_units_are_in_a_state_then_stock_status_and_order_follow_the_rule(
    client: httpx.AsyncClient, editor: Headers, customer: Headers, state: UnitState, how: RepaymentKind
) -> None:
    cup = await create_product(5, kind=KINDS[state])
    order = await paid_order(client, editor, customer, cup, state)
    before = await status_of(order)
    assert await stock_of(cup) == 2
    for _ in range(2):
        await handle_events(*events(order, how))
    rule = REFUND_RULES[state, how]
    assert await stock_of(cup) == (5 if rule.restocked else 2)
    shown = (await client.get(f"/catalog/orders/{order}", headers=customer)).json()
    assert shown["status"] == (rule.status or before)
    partial = how == RepaymentKind.PARTIAL_REFUND
    assert (shown["partially_refunded"], shown["refunded_amount"]) == (partial, AMOUNT - partial)
    assert shown["payments"][0]["dispute_lost"] == (how == RepaymentKind.DISPUTE_LOST)
    assert await stock_differences() == []
    if state == UnitState.UNFULFILLED:  # after a part of the money went back, the order is shipped as before
        again = await fulfil(client, editor, order, {cup: 3}, step="ship")
        assert again.status_code == (201 if partial else 409), again.text


async def test_refund_when_some_units_are_shipped_then_the_others_are_restocked_and_staff_return_the_shipped_ones(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    cup = await create_product(5, kind="shipped")
    order = await paid_order(client, editor, customer, cup, UnitState.SHIPPED, 2)
    await handle_events(payment_refunded(order, "r1", AMOUNT, AMOUNT))
    assert (await status_of(order), await stock_of(cup)) == ("refunded", 3)
    url, key = f"/catalog/products/{cup}/stock-movements", {"Idempotency-Key": uuid4().hex}
    movements = (await client.get(url, headers=editor)).json()["items"]
    assert [(each["kind"], each["quantity"]) for each in movements[:2]] == [("returned", 1), ("sold", 3)]
    body = {"kind": "returned", "quantity": 2, "reason": "came back"}
    assert (await client.post(url, json=body, headers=editor | key)).status_code == 201
    assert (await stock_of(cup), await stock_differences()) == (5, [])


@pytest.mark.parametrize(("kind", "left"), [("digital", 2), ("shipped", 5), ("service", 5)])
async def test_refund_when_it_is_in_the_batch_of_the_payment_then_the_rule_is_the_same(
    client: httpx.AsyncClient, customer: Headers, kind: str, left: int
) -> None:
    cup = await create_product(5, kind=kind)
    order = await create_order(client, customer, {cup: 3}, ADDRESS)
    await handle_events(payment_succeeded(order, "r1", AMOUNT), payment_refunded(order, "r1", AMOUNT, AMOUNT))
    assert (await status_of(order), await stock_of(cup), await stock_differences()) == ("refunded", left, [])


@pytest.mark.parametrize("kind", ["digital", "shipped", "service"])
async def test_refund_when_it_was_reported_before_the_payment_then_nothing_is_delivered_and_the_stock_is_released(
    client: httpx.AsyncClient, customer: Headers, kind: str
) -> None:
    cup = await create_product(5, kind=kind)
    order = await create_order(client, customer, {cup: 3}, ADDRESS)
    await handle_events(payment_refunded(order, "r1", AMOUNT, AMOUNT))
    await handle_events(payment_succeeded(order, "r1", AMOUNT))
    assert (await status_of(order), await stock_of(cup), await stock_differences()) == ("refunded", 5, [])


@pytest.mark.parametrize("kind", ["digital", "shipped"])
async def test_refund_when_the_units_were_never_in_stock_then_their_reservation_is_released(
    client: httpx.AsyncClient, editor: Headers, customer: Headers, kind: str
) -> None:
    cup = await create_product(0, kind=kind)
    await client.patch(f"/catalog/products/{cup}/stock", json={"backorder_limit": 3}, headers=editor)
    order = await create_order(client, customer, {cup: 3}, ADDRESS)
    await handle_events(payment_succeeded(order, "r1", AMOUNT))
    await handle_events(payment_refunded(order, "r1", AMOUNT, AMOUNT))
    assert (await status_of(order), await stock_of(cup), await stock_differences()) == ("refunded", 3, [])


async def test_refund_when_it_is_partial_and_then_complete_then_the_units_shipped_meanwhile_stay_sold(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    cup = await create_product(5, kind="shipped")
    order = await paid_order(client, editor, customer, cup, UnitState.SHIPPED, 1)
    await handle_events(payment_refunded(order, "r1", PRICE, AMOUNT))
    await fulfil(client, editor, order, {cup: 1}, step="ship")
    await handle_events(payment_refunded(order, "r1", AMOUNT, AMOUNT))
    assert (await status_of(order), await stock_of(cup)) == ("refunded", 3)


async def test_dispute_when_it_is_won_then_the_order_is_not_changed(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    cup = await create_product(5, kind="shipped")
    order = await paid_order(client, editor, customer, cup, UnitState.SHIPPED)
    await handle_events(dispute_resolved(order, "r1", lost=False, amount=AMOUNT))
    shown = (await client.get(f"/catalog/orders/{order}", headers=customer)).json()
    assert (shown["status"], shown["payments"][0]["dispute_lost"]) == ("paid", False)


async def test_refund_when_staff_ship_at_the_same_moment_then_the_unit_is_either_shipped_or_restocked(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    for number in range(10):
        cup, reference = await create_product(1, kind="shipped"), f"race-{number}"
        order = await create_order(client, customer, {cup: 1}, ADDRESS)
        await handle_events(payment_succeeded(order, reference))
        answer, _ = await asyncio.gather(
            fulfil(client, editor, order, {cup: 1}, step="ship"), handle_events(payment_refunded(order, reference))
        )
        assert (answer.status_code, await stock_of(cup)) in {(201, 0), (409, 1)}
        assert await status_of(order) == "refunded"
    assert await stock_differences() == []


async def test_refund_of_what_was_paid_too_much_is_no_refund_of_the_order(
    client: httpx.AsyncClient, customer: Headers
) -> None:
    order = await create_order(client, customer, {await create_product(5): 1})
    for refunded, counted in ((PRICE, 0), (PRICE + 100, 100), (2 * PRICE, PRICE)):
        data = PaymentRefundedData(
            order_id=order,
            reference="r1",
            amount=PRICE,
            currency="NGN",
            refunded_amount=refunded,
            fully_refunded=refunded == 2 * PRICE,
            overpaid_amount=PRICE,
        )
        await handle_events(payment_succeeded(order, "r1"), PaymentRefunded(subject=str(order), data=data))
        shown = (await client.get(f"/catalog/orders/{order}", headers=customer)).json()
        assert (shown["refunded_amount"], shown["payments"][0]["refunded_amount"]) == (counted, counted)
        assert shown["partially_refunded"] == (counted == 100)
        assert shown["status"] == ("refunded" if counted == PRICE else "delivered")


def refund_in_dollars(order: UUID, refunded: int, *, fully: bool) -> PaymentRefunded:
    data = PaymentRefundedData(
        order_id=order,
        reference="r1",
        amount=PRICE,
        currency="NGN",
        refunded_amount=refunded,
        refunded_currency="USD",
        fully_refunded=fully,
    )
    return PaymentRefunded(subject=str(order), data=data)


async def test_refund_in_another_currency_is_never_counted_in_the_currency_of_the_order(
    client: httpx.AsyncClient, customer: Headers
) -> None:
    cup = await create_product(5, kind="shipped")
    order = await create_order(client, customer, {cup: 1}, ADDRESS)
    await handle_events(payment_succeeded(order, "r1"))
    # Both amounts are greater than the price of the order, which is in another currency.
    for refunded, fully in ((2 * PRICE, False), (PRICE, False), (3 * PRICE, True)):
        await handle_events(refund_in_dollars(order, refunded, fully=fully))
        shown = (await client.get(f"/catalog/orders/{order}", headers=customer)).json()
        (payment,) = shown["payments"]
        in_dollars = {"amount": max(refunded, 2 * PRICE), "currency": "USD"}
        assert (shown["refunded_amount"], shown["refunded_in_other_currency"]) == (0, in_dollars)
        assert (payment["refunded_amount"], payment["refunded_in_other_currency"]) == (0, in_dollars)
        assert shown["partially_refunded"] == (not fully)
        assert (shown["status"], await stock_of(cup)) == (("refunded", 5) if fully else ("paid", 4))
    page = await client.get(f"/catalog/orders/status/{shown['status_token']}/page")
    assert "Total: NGN 500.00. USD 1,500.00 was refunded" in page.text


async def test_full_refund_in_another_currency_when_it_was_reported_before_the_payment_then_nothing_is_delivered(
    client: httpx.AsyncClient, customer: Headers
) -> None:
    cup = await create_product(5, kind="shipped")
    order = await create_order(client, customer, {cup: 1}, ADDRESS)
    await handle_events(refund_in_dollars(order, 1, fully=True))
    await handle_events(payment_succeeded(order, "r1"))
    assert (await status_of(order), await stock_of(cup), await stock_differences()) == ("refunded", 5, [])


async def test_refunds_of_one_payment_in_two_currencies_contradict_each_other(
    client: httpx.AsyncClient, customer: Headers
) -> None:
    order = await create_order(client, customer, {await create_product(5): 1})
    await handle_events(payment_succeeded(order, "r1"), payment_refunded(order, "r1", 100))
    other = refund_in_dollars(order, 200, fully=False)
    assert await handle_events(other) == {
        other.id: "the event states a refund in USD; earlier refunds of payment r1 were in NGN"
    }
    shown = (await client.get(f"/catalog/orders/{order}", headers=customer)).json()
    assert (shown["refunded_amount"], shown["refunded_in_other_currency"]) == (100, None)
