"""Payments are compared with the ledger."""

from services.payments.paystack.client import Paystack
from tests.factories.payments import create_payment
from tests.fakes.paystack import FakePaystack
from tests.fixtures.payments_reconciliation import create_settled, named, reconcile
from tests.fixtures.payments_rows import change_payments


async def test_reconcile_when_a_payment_differs_from_the_ledger_names_each_fact(
    paystack: FakePaystack, fast_client: Paystack
) -> None:
    reference = await create_settled(paystack)
    await change_payments(reference, fees=1_000, refunded_amount=7)
    paystack.transactions[reference].fees = 1_000
    differences = (await reconcile(fast_client)).differences
    assert [(one.kind, one.here) for one in differences] == [
        ("ledger_differs", "fee: 1000 in the payment, 750 in the ledger"),
        ("ledger_differs", "refunded: 7 in the payment, 0 in the ledger"),
    ]


async def test_reconcile_when_the_ledger_lacks_a_payment_names_it(
    paystack: FakePaystack, fast_client: Paystack
) -> None:
    one = await create_payment(status="succeeded", paid_amount=50_000, paid_currency="NGN", fees=750, domain="test")
    paystack.add_transaction(one.reference)
    assert named(await reconcile(fast_client)) == [("ledger_differs", one.reference)] * 2
