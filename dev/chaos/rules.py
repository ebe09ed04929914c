"""What must be true of the facts, whatever died: each rule names every difference that it finds, and none stops at the first."""

from collections import Counter
from collections.abc import Callable, Iterator

from dev.chaos.client import Promised, Seen
from dev.chaos.snapshot import Facts, Row

UNPAID = frozenset({"pending", "failed", "abandoned"})
PAID = frozenset({"succeeded", "partially_refunded"})
WITH_DELIVERY = PAID | {"disputed", "refunded"}

Rule = Callable[[Facts], Iterator[str]]


def was_paid(transaction: Row) -> bool:
    """At Paystack, also where the money has gone back since."""
    return transaction["paid_at"] is not None


def settled(facts: Facts) -> Iterator[str]:
    for reference, transaction in facts.transactions.items():
        if not was_paid(transaction):
            continue
        ours = facts.payments.get(reference)
        if ours is None or ours["status"] in UNPAID:
            yield f"{reference}: {transaction['status']} at Paystack, {ours['status'] if ours else 'unknown'} here"
        elif ours["status"] != "held":  # held may be because Paystack told two stories: a person looks at it
            here = (ours["paid_amount"], ours["paid_currency"], ours["fees"])
            there = (transaction["amount"], transaction["currency"], transaction["fees"])
            if here != there:
                yield f"{reference}: amount, currency and fees are {there} at Paystack, {here} here"


def delivered_once(facts: Facts) -> Iterator[str]:
    of_payment = Counter(row["payment_reference"] for row in facts.deliveries)
    of_order = Counter(row["order_id"] for row in facts.deliveries)
    yield from (f"{reference}: delivered {count} times" for reference, count in of_payment.items() if count > 1)
    yield from (f"order {order}: delivered {count} times" for order, count in of_order.items() if count > 1)
    for reference, payment in facts.payments.items():
        earned = payment["status"] in PAID and payment["held_reason"] is None
        if earned and not of_payment[reference] and not _goes_back(facts, payment):
            yield f"{reference}: {payment['status']}, not delivered and not on its way back"


def _goes_back(facts: Facts, payment: Row) -> bool:
    refunds = facts.refunds.get(payment["reference"], [])
    returned: int = sum(one["amount"] for one in refunds if one["status"] != "failed")
    return returned >= int(payment["paid_amount"] or 0)


def paid_for(facts: Facts) -> Iterator[str]:
    for delivery in facts.deliveries:
        reference, order_id = delivery["payment_reference"], str(delivery["order_id"])
        payment, order = facts.payments.get(reference), facts.orders.get(order_id)
        if payment is None or order is None:
            yield f"order {order_id}: delivered for {reference}, and there is no such {'order' if payment else 'payment'}"
            continue
        if payment["status"] not in WITH_DELIVERY:
            yield f"{reference}: delivered and {payment['status']}"
        if str(payment["order_id"]) != order_id:
            yield f"{reference}: of order {payment['order_id']}, delivered for {order_id}"
        price, asked = (order["amount"], order["currency"]), (payment["amount"], payment["currency"])
        if asked != price:
            yield f"{reference}: {asked} for an order of {price}"
        if order["status"] not in {"delivered", "refunded"}:
            yield f"order {order_id}: delivered, and it says {order['status']}"
        transaction = facts.transactions.get(reference)
        if transaction is not None and was_paid(transaction) and reference not in facts.decided:
            yield from _right_money(reference, order, transaction)
    handed_over = {str(row["order_id"]) for row in facts.deliveries}
    for order_id, order in facts.orders.items():
        if order["status"] == "delivered" and order_id not in handed_over:
            yield f"order {order_id}: says delivered and has no delivery"


def _right_money(reference: str, order: Row, transaction: Row) -> Iterator[str]:
    with_fees = transaction["amount"] - (transaction["fees"] or 0)
    right = order["amount"] in {transaction["amount"], with_fees} and transaction["requested_amount"] == order["amount"]
    if not right or transaction["currency"] != order["currency"]:
        came = f"{transaction['amount']} {transaction['currency']}"
        yield f"{reference}: {came} came at Paystack for an order of {order['amount']} {order['currency']}"


def no_money_invented(facts: Facts, promised: Promised) -> Iterator[str]:
    """Where every notice comes from Paystack itself."""
    for reference in (row["payment_reference"] for row in facts.deliveries):
        transaction = facts.transactions.get(reference)
        if reference in promised.payments and (transaction is None or not was_paid(transaction)):
            yield f"{reference}: delivered, and not paid at Paystack"


def stock_kept(facts: Facts, initial: dict[str, int]) -> Iterator[str]:
    yield from (f"product {row['id']}: stock {row['stock']}" for row in facts.below_zero)
    for product, shelf in facts.shelves.items():
        if shelf["astray"]:
            yield f"product {product}: {shelf['astray']} reserved by orders that are over, or not reserved by those that are not"
        if product in initial and shelf["stock"] + shelf["reserved"] + shelf["sold"] != initial[product]:
            sums = f"{shelf['stock']} + {shelf['reserved']} reserved + {shelf['sold']} sold"
            yield f"product {product}: {sums} are not {initial[product]}"
    for product in initial.keys() - facts.shelves.keys():
        yield f"product {product}: gone from the shelves"


def nothing_stuck(facts: Facts) -> Iterator[str]:
    for one in facts.waiting:
        yield f"{one.where}: {one.key} is {one.state}" + (f": {one.error[:200]}" if one.error else "")
    yield from (f"{queue}: {count} dead letters" for queue, count in facts.dead_letters.items() if count)


def balanced(facts: Facts) -> Iterator[str]:
    yield from (f"the ledger is out of balance by {row['amount']} {row['currency']}" for row in facts.unbalanced)
    for reference, payment in facts.payments.items():
        paid = payment["paid_amount"] or 0
        said = {
            "received": paid,
            "fee": (payment["fees"] or 0) if payment["paid_amount"] is not None else 0,
            "refunded": payment["refunded_amount"],
            "held": paid - payment["refunded_amount"] if payment["held_reason"] else 0,
        }
        row = facts.booked.get(reference, {})
        booked = {side: int(row.get(side) or 0) for side in said}
        yield from (
            f"{reference}: {side} {said[side]} here, {booked[side]} in the ledger"
            for side in said
            if said[side] != booked[side]
        )


def refunded_alike(facts: Facts) -> Iterator[str]:
    for reference in facts.transactions:
        here = sum(one["amount"] for one in facts.refunds.get(reference, []) if one["status"] != "failed")
        there = sum(one["amount"] for one in facts.returned.get(reference, []) if one["status"] != "failed")
        if here != there:
            yield f"{reference}: refunds of {here} here, {there} at Paystack"
        done = sum(one["amount"] for one in facts.returned.get(reference, []) if one["status"] == "processed")
        ours = facts.payments.get(reference)
        if ours is not None and ours["refunded_amount"] != done:
            yield f"{reference}: {done} processed at Paystack, {ours['refunded_amount']} here"


def compensated_once(facts: Facts) -> Iterator[str]:
    undeliverable = {reference for reference, row in facts.told.items() if row["outcome"] == "undeliverable"}
    for reference in undeliverable:
        payment, refunds = facts.payments.get(reference), facts.refunds.get(reference, [])
        by_itself = [one for one in refunds if one["requested_by"] == "catalog"]
        if len(by_itself) > 1:
            yield f"{reference}: undeliverable, and refunded by itself {len(by_itself)} times"
        # One that Paystack failed waits for a person.
        if payment is not None and not _goes_back(facts, payment) and "failed" not in {r["status"] for r in by_itself}:
            yield f"{reference}: undeliverable, and not all of {payment['paid_amount']} goes back"
    for reference, refunds in facts.refunds.items():
        if reference not in undeliverable and any(one["requested_by"] == "catalog" for one in refunds):
            yield f"{reference}: refunded by itself, and catalog has no trouble with it"


def promises_kept(facts: Facts, promised: Promised) -> Iterator[str]:
    placed: dict[str, set[str]] = {}
    for order_id, order in facts.orders.items():
        placed.setdefault(order["customer_id"], set()).add(order_id)
    for buyer, orders in promised.orders.items():
        yield from (f"order {order}: answered 201, and is not there" for order in orders - placed.get(buyer, set()))
    yield from (f"{one}: answered 201, and is not there" for one in promised.payments - facts.payments.keys())
    known = {str(one["id"]) for refunds in facts.refunds.values() for one in refunds}
    yield from (f"refund {one}: answered 202, and is not there" for one in promised.refunds - known)


def no_order_twice(facts: Facts, promised: Promised) -> Iterator[str]:
    """Where each buyer's intents are known: what was asked again with the same key is one order."""
    placed = Counter(order["customer_id"] for order in facts.orders.values())
    for buyer, orders in promised.orders.items():
        if placed[buyer] > len(orders):
            yield f"buyer {buyer}: {placed[buyer]} orders for {len(orders)} intents"


def answered_well(seen: Seen) -> Iterator[str]:
    yield from seen.wrong
