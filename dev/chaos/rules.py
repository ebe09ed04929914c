"""The rules that a snapshot must satisfy when all work is finished. A rule is a generator of one message per violation."""

from collections import Counter
from collections.abc import Iterator

from dev.chaos.client import Acknowledged, Answers
from dev.chaos.snapshot import Row, Snapshot

UNPAID = frozenset({"pending", "failed", "abandoned"})
PAID = frozenset({"succeeded", "partially_refunded"})
WITH_DELIVERY = PAID | {"disputed", "refunded"}


def was_paid(transaction: Row) -> bool:
    """Return True if a transaction was paid at Paystack, even if it was refunded later."""
    return transaction["paid_at"] is not None


def payments_settled(snapshot: Snapshot) -> Iterator[str]:
    """Every transaction that is paid at Paystack is settled here, with the same amount, currency and fees."""
    for reference, transaction in snapshot.transactions.items():
        if not was_paid(transaction):
            continue
        payment = snapshot.payments.get(reference)
        if payment is None or payment["status"] in UNPAID:
            status = payment["status"] if payment else "unknown"
            yield f"{reference}: {transaction['status']} at Paystack, {status} here"
        elif payment["status"] != "held":  # Paystack may have reported two amounts: an operator decides
            here = (payment["paid_amount"], payment["paid_currency"], payment["fees"])
            there = (transaction["amount"], transaction["currency"], transaction["fees"])
            if here != there:
                yield f"{reference}: amount, currency and fees are {there} at Paystack, {here} here"


def delivered_once(snapshot: Snapshot) -> Iterator[str]:
    """Every paid order is delivered exactly once, waits for staff, or is refunded."""
    by_payment = Counter(row["payment_reference"] for row in snapshot.deliveries)
    by_order = Counter(row["order_id"] for row in snapshot.deliveries)
    yield from (f"{reference}: delivered {count} times" for reference, count in by_payment.items() if count > 1)
    yield from (f"order {order}: delivered {count} times" for order, count in by_order.items() if count > 1)
    waiting = {order["payment_reference"] for order in snapshot.orders.values() if order["status"] == "paid"}
    for reference, payment in snapshot.payments.items():
        deliverable = payment["status"] in PAID and payment["held_reason"] is None and reference not in waiting
        if deliverable and not by_payment[reference] and not _refunded_in_full(snapshot, payment):
            yield f"{reference}: {payment['status']}, neither delivered nor refunded"


def _refunded_in_full(snapshot: Snapshot, payment: Row) -> bool:
    refunds = snapshot.refunds.get(payment["reference"], [])
    amount: int = sum(refund["amount"] for refund in refunds if refund["status"] != "failed")
    return amount >= int(payment["paid_amount"] or 0)


def deliveries_paid(snapshot: Snapshot) -> Iterator[str]:
    """Every delivery belongs to a payment of its order, with the amount and currency of the order."""
    for delivery in snapshot.deliveries:
        reference, order_id = delivery["payment_reference"], str(delivery["order_id"])
        payment, order = snapshot.payments.get(reference), snapshot.orders.get(order_id)
        if payment is None or order is None:
            missing = "order" if payment else "payment"
            yield f"order {order_id}: delivered for {reference}, but the {missing} does not exist"
            continue
        if payment["status"] not in WITH_DELIVERY:
            yield f"{reference}: delivered but {payment['status']}"
        if str(payment["order_id"]) != order_id:
            yield f"{reference}: belongs to order {payment['order_id']}, delivered for {order_id}"
        price, charged = (order["amount"], order["currency"]), (payment["amount"], payment["currency"])
        if charged != price:
            yield f"{reference}: {charged} for an order of {price}"
        if order["status"] not in {"delivered", "refunded"}:
            yield f"order {order_id}: has a delivery but its status is {order['status']}"
        transaction = snapshot.transactions.get(reference)
        if transaction is not None and was_paid(transaction) and reference not in snapshot.decided:
            yield from _right_price_paid(reference, order, transaction)
    delivered = {str(row["order_id"]) for row in snapshot.deliveries}
    for order_id, order in snapshot.orders.items():
        if order["status"] == "delivered" and order_id not in delivered:
            yield f"order {order_id}: its status is delivered but it has no delivery"


def _right_price_paid(reference: str, order: Row, transaction: Row) -> Iterator[str]:
    """The transaction at Paystack has the amount (with or without fees) and the currency of the order."""
    without_fees = transaction["amount"] - (transaction["fees"] or 0)
    right_amount = order["amount"] in {transaction["amount"], without_fees}
    if not (right_amount and transaction["requested_amount"] == order["amount"]) or (
        transaction["currency"] != order["currency"]
    ):
        paid = f"{transaction['amount']} {transaction['currency']}"
        yield f"{reference}: {paid} paid at Paystack for an order of {order['amount']} {order['currency']}"


def deliveries_paid_at_paystack(snapshot: Snapshot, acknowledged: Acknowledged) -> Iterator[str]:
    """Every delivery was paid at Paystack. Do not use this rule if a test signs webhooks itself: the sandbox sees no payment."""
    for reference in (row["payment_reference"] for row in snapshot.deliveries):
        transaction = snapshot.transactions.get(reference)
        if reference in acknowledged.payments and (transaction is None or not was_paid(transaction)):
            yield f"{reference}: delivered but not paid at Paystack"


def stock_consistent(snapshot: Snapshot, initial: dict[str, int]) -> Iterator[str]:
    """No more is reserved than is there, on_hand + sold equals the initial stock, and the movements add up to the level.

    The key of `initial` is the id of a product without options, which is also the id of its variant.
    """
    yield from (f"variant {row['id']}: stock {row['stock']}" for row in snapshot.negative_stock)
    for variant, row in snapshot.stock.items():
        if row["mismatched"]:
            yield f"variant {variant}: {row['mismatched']} units have another stock state than their order needs"
        if row["reserved"] != row["pending"]:
            yield f"variant {variant}: {row['reserved']} units are reserved, and pending orders have {row['pending']}"
        if variant in initial and row["on_hand"] + row["sold"] != initial[variant]:
            total = f"{row['on_hand']} on hand + {row['sold']} sold"
            yield f"variant {variant}: {total} is not {initial[variant]}"
        level, moved = (row["on_hand"], row["reserved"]), (row["moved"], row["moved_reserved"])
        if level != moved:
            yield f"variant {variant}: the level is {level}, and its movements add up to {moved}"
    for variant in initial.keys() - snapshot.stock.keys():
        yield f"variant {variant}: has no stock level"


def work_finished(snapshot: Snapshot) -> Iterator[str]:
    """No webhook event, inbox entry, outbox row or refund of a service is unfinished, and no dead-letter queue has a message."""
    for entry in snapshot.unfinished:
        yield f"{entry.table}: {entry.key} is {entry.state}" + (f": {entry.error[:200]}" if entry.error else "")
    yield from (f"{queue}: {count} dead letters" for queue, count in snapshot.dead_letters.items() if count)


def ledger_balanced(snapshot: Snapshot) -> Iterator[str]:
    """The ledger is balanced and agrees with every payment."""
    yield from (f"the ledger is out of balance by {row['amount']} {row['currency']}" for row in snapshot.unbalanced)
    for reference, payment in snapshot.payments.items():
        paid = payment["paid_amount"] or 0
        expected = {
            "received": paid,
            "fee": (payment["fees"] or 0) if payment["paid_amount"] is not None else 0,
            "refunded": payment["refunded_amount"],
            "held": paid - payment["refunded_amount"] if payment["held_reason"] else 0,
        }
        row = snapshot.ledger.get(reference, {})
        recorded = {kind: int(row.get(kind) or 0) for kind in expected}
        yield from (
            f"{reference}: {kind} {expected[kind]} in the payment, {recorded[kind]} in the ledger"
            for kind in expected
            if expected[kind] != recorded[kind]
        )


def refunds_match(snapshot: Snapshot) -> Iterator[str]:
    """The refunds of every payment have the same amounts here and at Paystack."""
    for reference in snapshot.transactions:
        ours, theirs = snapshot.refunds.get(reference, []), snapshot.paystack_refunds.get(reference, [])
        here = sum(refund["amount"] for refund in ours if refund["status"] != "failed")
        there = sum(refund["amount"] for refund in theirs if refund["status"] != "failed")
        if here != there:
            yield f"{reference}: refunds of {here} here, {there} at Paystack"
        processed = sum(refund["amount"] for refund in theirs if refund["status"] == "processed")
        payment = snapshot.payments.get(reference)
        if payment is not None and payment["refunded_amount"] != processed:
            yield f"{reference}: {processed} refunded at Paystack, {payment['refunded_amount']} here"


def undeliverable_refunded_once(snapshot: Snapshot) -> Iterator[str]:
    """Every payment of an undeliverable order has one automatic refund in full. No other payment has an automatic refund."""
    outcomes = snapshot.order_payments.items()
    undeliverable = {reference for reference, row in outcomes if row["outcome"] == "undeliverable"}
    for reference in undeliverable:
        payment, refunds = snapshot.payments.get(reference), snapshot.refunds.get(reference, [])
        automatic = [refund for refund in refunds if refund["requested_by"] == "catalog"]
        if len(automatic) > 1:
            yield f"{reference}: undeliverable, and refunded automatically {len(automatic)} times"
        failed = "failed" in {refund["status"] for refund in automatic}  # an operator decides about a failed refund
        if payment is not None and not failed and not _refunded_in_full(snapshot, payment):
            yield f"{reference}: undeliverable, but {payment['paid_amount']} are not refunded in full"
    for reference, refunds in snapshot.refunds.items():
        if reference not in undeliverable and any(refund["requested_by"] == "catalog" for refund in refunds):
            yield f"{reference}: refunded automatically although its order is not undeliverable"


def acknowledged_exists(snapshot: Snapshot, acknowledged: Acknowledged) -> Iterator[str]:
    """Every order, payment and refund that was answered with 201 or 202 exists."""
    by_customer: dict[str, set[str]] = {}
    for order_id, order in snapshot.orders.items():
        by_customer.setdefault(order["customer_id"], set()).add(order_id)
    for customer, orders in acknowledged.orders.items():
        missing = orders - by_customer.get(customer, set())
        yield from (f"order {order}: answered with 201 but does not exist" for order in missing)
    lost_payments = acknowledged.payments - snapshot.payments.keys()
    yield from (f"{reference}: answered with 201 but does not exist" for reference in lost_payments)
    known = {str(refund["id"]) for refunds in snapshot.refunds.values() for refund in refunds}
    yield from (f"refund {refund}: answered with 202 but does not exist" for refund in acknowledged.refunds - known)


def one_order_per_request(snapshot: Snapshot, acknowledged: Acknowledged) -> Iterator[str]:
    """Every customer has as many orders as they placed: repetitions of a request with the same key create no further order."""
    placed = Counter(order["customer_id"] for order in snapshot.orders.values())
    for customer, orders in acknowledged.orders.items():
        if placed[customer] > len(orders):
            yield f"customer {customer}: {placed[customer]} orders for {len(orders)} requests"


def answers_valid(answers: Answers) -> Iterator[str]:
    """No service answered a 5xx that is not a 503 with Retry-After."""
    yield from answers.invalid
