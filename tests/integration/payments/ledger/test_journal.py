"""The ledger: every movement balanced, recorded once, and unchangeable."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from kit.audit.actor import Actor
from kit.db.errors import sqlstate
from services.payments.db import sessions
from services.payments.disputes import records
from services.payments.holds import review
from services.payments.ledger import journal, movements, withheld_money
from services.payments.ledger.models import Payout
from services.payments.paystack.charge import parse_charge
from services.payments.paystack.disputes import PaystackDispute
from services.payments.settlement.settle import RecordedConcurrently, settle
from tests.factories.payments import create_payment
from tests.fakes.paystack import FakePaystack, charge
from tests.fixtures.owners import owner_sessions
from tests.fixtures.payments_jobs import Jobs, settle_charges
from tests.fixtures.payments_rows import find_payment, ledger_balances, ledger_keys

OPERATOR = Actor(id="operator-1")


async def refund_on_dashboard(paystack: FakePaystack, jobs: Jobs, reference: str, amount: int) -> None:
    one = paystack.transactions.get(reference) or paystack.add_transaction(reference)
    paystack.add_refund(one, amount, status="processed")
    await jobs.sync_refunds(reference)


async def test_sale_when_it_is_settled_repeatedly_is_recorded_once() -> None:
    one = await create_payment()
    for _ in range(3):
        await settle_charges(charge(one.reference))
    assert await ledger_balances() == {"NGN": {"paystack:receivable": 49_250, "fees": 750, "sales": -50_000}}
    assert await ledger_keys() == [f"received:{one.reference}", f"fee:{one.reference}"]


async def test_fee_when_it_is_unknown_is_no_movement() -> None:
    one = await create_payment()
    await settle_charges(charge(one.reference, fees=None))
    assert await ledger_keys() == [f"received:{one.reference}"]


async def test_held_money_when_it_is_accepted_becomes_sales() -> None:
    one = await create_payment()
    await settle_charges(charge(one.reference, 49_000))
    assert await ledger_balances() == {"NGN": {"paystack:receivable": 48_250, "fees": 750, "held": -49_000}}
    async with sessions.begin() as session:
        await review.accept(session, one.reference, OPERATOR, "a regular")
    assert await ledger_balances() == {"NGN": {"paystack:receivable": 48_250, "fees": 750, "sales": -49_000}}


async def test_unknown_money_when_deliveries_race_is_held_once() -> None:
    attempts = (settle_charges(charge("pay-dva-1", fees=None)) for _ in range(8))
    results = await asyncio.gather(*attempts, return_exceptions=True)
    assert {type(result) for result in results if isinstance(result, BaseException)} <= {RecordedConcurrently}
    assert await settle_charges(charge("pay-dva-1", fees=None)) == ["unchanged: held"]
    assert await ledger_balances() == {"NGN": {"paystack:receivable": 50_000, "held": -50_000}}


async def test_money_of_another_mode_is_kept_in_an_account_of_its_own() -> None:
    one = await create_payment()
    await settle_charges(charge(one.reference, domain="live", fees=None))
    assert await ledger_balances() == {"NGN": {"paystack:other_mode": 50_000, "held": -50_000}}


async def test_balances_when_there_are_two_currencies_are_kept_apart() -> None:
    one, two = await create_payment(), await create_payment(currency="GHS")
    await settle_charges(charge(one.reference))
    await settle_charges(charge(two.reference, currency="GHS", fees=None))
    assert set(await ledger_balances()) == {"NGN", "GHS"}
    assert (await ledger_balances())["GHS"] == {"paystack:receivable": 50_000, "sales": -50_000}


async def test_payment_when_it_was_reversed_before_it_was_settled_is_held_and_its_refunds_are_due() -> None:
    one = await create_payment()
    await settle_charges(charge(one.reference, status="reversed", fees=None))
    assert await ledger_balances() == {"NGN": {"paystack:receivable": 50_000, "held": -50_000}}
    row = await find_payment(one.reference)
    assert (row.status, row.held_reason, row.paid_amount) == ("held", "reversed", 50_000)
    assert row.refunds_next_attempt_at is not None


async def test_refunds_of_sales_and_of_held_money_leave_their_accounts(paystack: FakePaystack, jobs: Jobs) -> None:
    sold, held = await create_payment(), await create_payment()
    paystack.add_transaction(held.reference, 60_000)
    await settle_charges(charge(sold.reference, fees=None))
    await settle_charges(charge(held.reference, 60_000, fees=None))
    await refund_on_dashboard(paystack, jobs, sold.reference, 10_000)
    await refund_on_dashboard(paystack, jobs, sold.reference, 10_000)
    await refund_on_dashboard(paystack, jobs, held.reference, 60_000)
    assert await ledger_balances() == {"NGN": {"paystack:receivable": 30_000, "refunds": 20_000, "sales": -50_000}}


@pytest.mark.parametrize("lost", [False, True])
async def test_withheld_money_when_the_dispute_ends_is_released_once(lost: bool) -> None:
    one = await create_payment()
    await settle_charges(charge(one.reference, fees=None))
    row = await find_payment(one.reference)
    for amount in (30_000, 40_000):  # the disputed amount may change later
        async with sessions.begin() as session:
            await withheld_money.record_withheld(session, row, 77, amount)
    assert await ledger_balances() == {"NGN": {"disputes": 30_000, "paystack:receivable": 20_000, "sales": -50_000}}
    for _ in range(2):
        async with sessions.begin() as session:
            await withheld_money.record_released(session, row, 77, lost=lost)
    assert await ledger_balances() == {"NGN": {"paystack:receivable": 50_000, "sales": -50_000}}
    assert await ledger_keys() == [f"received:{one.reference}", "disputed:77", "dispute_over:77"]


async def test_lost_dispute_goes_through_the_ledger_to_its_refund(paystack: FakePaystack, jobs: Jobs) -> None:
    one = await create_payment()
    await settle_charges(charge(one.reference, fees=None))
    about = PaystackDispute(id=78, status="awaiting-merchant-feedback", reference=one.reference, amount=20_000)
    over = replace(about, status="resolved", resolution="merchant-accepted")
    for each in (about, about):
        async with sessions.begin() as session:
            await records.record(session, [each])
    assert await ledger_balances() == {"NGN": {"disputes": 20_000, "paystack:receivable": 30_000, "sales": -50_000}}
    for _ in range(2):
        async with sessions.begin() as session:
            await records.apply(session, over)
    assert await ledger_balances() == {"NGN": {"paystack:receivable": 50_000, "sales": -50_000}}
    await refund_on_dashboard(paystack, jobs, one.reference, 20_000)
    assert await ledger_balances() == {"NGN": {"paystack:receivable": 30_000, "refunds": 20_000, "sales": -50_000}}
    assert len(await ledger_keys()) == 4


async def test_payout_when_it_is_recorded_twice_reaches_the_bank_once() -> None:
    one = await create_payment()
    await settle_charges(charge(one.reference))
    payout = Payout(id=3, amount=49_250, fees=750, currency="NGN", paid_out_at=one.created_at)
    for _ in range(2):
        async with sessions.begin() as session:
            await journal.record(session, [movements.paid_out(payout)])
    assert await ledger_balances() == {"NGN": {"bank": 49_250, "fees": 750, "sales": -50_000}}


CHANGES = {
    "change an amount": "UPDATE ledger_entries SET amount = amount + 1",
    "delete an entry": "DELETE FROM ledger_entries",
    "delete all entries": "TRUNCATE ledger_entries",
    "rename a movement": "UPDATE ledger_transactions SET key = 'x'",
    "delete a movement": "DELETE FROM ledger_transactions",
    "delete everything": "TRUNCATE ledger_transactions CASCADE",
    "write one side only": "INSERT INTO ledger_entries (transaction_id, line, account, currency, amount)"
    " SELECT id, 3, 'bank', 'NGN', 5 FROM ledger_transactions LIMIT 1",
    "balance naira with cedis": "INSERT INTO ledger_entries (transaction_id, line, account, currency, amount)"
    " SELECT id, line, 'bank', currency, amount FROM ledger_transactions,"
    " (VALUES (3, 'NGN', 5), (4, 'GHS', -5)) AS side (line, currency, amount) WHERE kind = 'received'",
    "write no side at all": "INSERT INTO ledger_transactions (key, kind, occurred_at) VALUES ('x', 'paid_out', now())",
    "write nothing in two lines": "WITH made AS (INSERT INTO ledger_transactions (key, kind, occurred_at)"
    " VALUES ('x', 'paid_out', now()) RETURNING id) INSERT INTO ledger_entries"
    " SELECT id, line, 'bank', 'NGN', 0 FROM made, (VALUES (1), (2)) AS side (line)",
}


@pytest.mark.parametrize("name", CHANGES)
async def test_database_when_a_statement_would_falsify_the_ledger_refuses_it(name: str) -> None:
    one = await create_payment()
    await settle_charges(charge(one.reference))
    before = await ledger_balances()
    for role in (sessions, owner_sessions("payments")):
        with pytest.raises(DBAPIError) as refused:
            async with role.begin() as session:
                await session.execute(text(CHANGES[name]))
        # insufficient_privilege, restrict_violation, check_violation
        assert sqlstate(refused.value) in ({"42501", "23514"} if role is sessions else {"23001", "23514"})
    assert (await ledger_balances(), len(await ledger_keys())) == (before, 2)


async def test_movement_when_its_transaction_is_rolled_back_is_not_recorded() -> None:
    one = await create_payment()
    async with sessions() as session:
        await settle(session, [parse_charge(charge(one.reference))])
        await session.rollback()
    assert await ledger_keys() == []
    assert (await find_payment(one.reference)).status == "pending"
