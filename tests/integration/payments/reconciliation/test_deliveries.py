"""Payments are compared with the deliveries of catalog in both directions, and each difference is named."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from services.payments.db import sessions
from services.payments.deliveries_client import ATTEMPTS, DeliveriesUnavailable
from services.payments.paystack.client import Paystack
from services.payments.reconciliation.deliveries import DeliveryComparison
from services.payments.reconciliation.report import Report
from tests.factories.payments import create_paid_payment, create_payment, create_refund
from tests.fakes.deliveries import FakeDeliveries
from tests.fakes.paystack import Clock
from tests.fakes.shutdown import OnClock
from tests.fixtures.payments_reconciliation import reconcile
from tests.fixtures.payments_rows import change_payments

ORDER = UUID(int=7)


async def compared(catalog: FakeDeliveries, days: int = 2, secret: str | None = None) -> Report:
    """Compare the deliveries and the payments of the last days."""
    now = datetime.now(UTC)
    report = Report(since=now - timedelta(days=days), until=now + timedelta(minutes=1))
    client = catalog.client(OnClock(Clock()), **({} if secret is None else {"secret": secret}))
    await DeliveryComparison(sessions, report, client).compare()
    return report


async def create_old(**values: Any) -> str:
    """Create a payment that changed an hour ago for the last time. Return its reference."""
    one = await create_paid_payment(order_id=ORDER, **values)
    await change_payments(one.reference, updated_at=datetime.now(UTC) - timedelta(hours=1))
    return one.reference


async def test_compare_when_all_agree_finds_no_difference() -> None:
    catalog = FakeDeliveries()
    for _ in range(5):  # more than two pages
        order_id = uuid4()
        one = await create_paid_payment(order_id=order_id)
        catalog.deliver(one.reference, order_id)
    disputed = await create_paid_payment(status="disputed", order_id=ORDER)
    catalog.deliver(disputed.reference, ORDER)
    catalog.deliver(None, amount=0)  # free
    await create_payment()  # pending
    await create_payment(status="refunded", held_reason="amount_differs", paid_amount=1, paid_currency="NGN")
    report = await compared(catalog)
    assert (report.differences, report.deliveries, report.not_compared) == ([], 6, [])
    assert catalog.tokens == 1


@pytest.mark.parametrize(
    ("payment", "delivery", "kind"),
    [
        ({"status": "pending", "paid_amount": None}, {}, "delivery_without_payment"),
        ({"status": "held", "held_reason": "amount_differs"}, {}, "delivery_without_payment"),
        ({}, {"payment_reference": "pay-unknown"}, "delivery_without_payment"),
        ({}, {"payment_reference": None}, "delivery_without_payment"),
        ({}, {"amount": 49_999}, "delivery_differs"),
        ({}, {"currency": "GHS"}, "delivery_differs"),
        ({}, {"order_id": str(UUID(int=8))}, "delivery_differs"),
        ({}, {"status": "paid", "delivered_at": None, "amount": 1}, "delivery_differs"),
        ({}, {"status": "expired", "delivered_at": None}, "payment_without_delivery"),
        ({"status": "partially_refunded"}, None, "payment_without_delivery"),
        ({"status": "disputed"}, None, "payment_without_delivery"),
        ({}, None, "payment_without_delivery"),
    ],
)
async def test_compare_when_a_fact_differs_names_it(
    payment: dict[str, Any], delivery: dict[str, Any] | None, kind: str
) -> None:
    catalog = FakeDeliveries()
    reference = await create_old(**payment)
    if delivery is not None:
        catalog.deliver(reference, ORDER)
        catalog.rows[-1] |= delivery
    found = (await compared(catalog)).differences
    differing = [one for one in found if one.kind == kind]
    assert len(differing) == 1, found
    # If the delivery names another payment or none, the payment is a second difference: it has no delivery.
    assert {one.kind for one in found} - {kind} <= {"payment_without_delivery"}
    assert differing[0].reference == (delivery or {}).get("payment_reference", reference)


@pytest.mark.parametrize(
    ("payment", "order"),
    [
        ({}, {"status": "paid", "delivered_at": None}),
        ({"status": "refunded"}, {"status": "refunded", "delivered_at": None}),
        ({"status": "refunded"}, None),
        ({}, {"delivered_at": "2026-01-01T00:00:00Z"}),  # long before the period
    ],
)
async def test_compare_when_no_delivery_is_due_in_the_period_finds_no_difference(
    payment: dict[str, Any], order: dict[str, Any] | None
) -> None:
    catalog = FakeDeliveries()
    reference = await create_old(**payment)
    if order is not None:
        catalog.deliver(reference, ORDER, **order)
    assert (await compared(catalog)).differences == []


async def test_compare_when_the_order_was_undeliverable_then_its_refund_is_no_difference() -> None:
    one = await create_paid_payment(order_id=ORDER)
    await create_refund(one, requested_by="catalog")
    other = await create_paid_payment(order_id=ORDER)
    await create_refund(other, requested_by="operator-1")
    await change_payments(updated_at=datetime.now(UTC) - timedelta(hours=1))
    found = (await compared(FakeDeliveries())).differences
    assert [(each.kind, each.reference) for each in found] == [("payment_without_delivery", other.reference)]


async def test_compare_when_the_payment_just_changed_says_that_it_was_not_compared() -> None:
    await create_paid_payment(order_id=ORDER)
    report = await compared(FakeDeliveries())
    assert report.differences == []
    (sentence,) = report.not_compared
    assert sentence == "Whether the orders of 1 payments that changed in the last ten minutes are delivered."


async def test_compare_when_catalog_fails_reads_again_and_gives_up_after_five_attempts() -> None:
    catalog = FakeDeliveries()
    reference = await create_old()
    catalog.deliver(reference, ORDER)
    limited = httpx.Response(429, headers={"retry-after": "7"})
    catalog.failures = [limited, httpx.Response(502), httpx.Response(401), httpx.ReadError("broken")]
    assert (await compared(catalog)).differences == []
    assert catalog.tokens == 2  # a new one after the 401
    catalog.failures = [httpx.Response(503)] * ATTEMPTS
    with pytest.raises(DeliveriesUnavailable, match="/catalog/deliveries answered 503"):
        await compared(catalog)
    before = len(catalog.calls)
    catalog.failures = [httpx.Response(403)]
    with pytest.raises(DeliveriesUnavailable, match="answered 403"):
        await compared(catalog)
    assert len(catalog.calls) == before + 2  # a token and one attempt
    with pytest.raises(DeliveriesUnavailable, match="auth refused the client payments"):
        await compared(FakeDeliveries(), secret="another secret of the tests")


async def test_reconcile_when_there_is_no_client_says_that_deliveries_were_not_compared(fast_client: Paystack) -> None:
    report = await reconcile(fast_client)
    assert "The deliveries of catalog: PAYMENTS_CLIENT_SECRET is not set." in report.not_compared
