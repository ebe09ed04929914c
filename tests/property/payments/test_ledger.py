"""The ledger against a model of a few lines: whatever happens to payments, it balances and says what the payments say."""

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from kit.audit.actor import Actor
from services.payments.catalog_client import Order
from services.payments.db import sessions
from services.payments.errors import NotHeld, OrderNotBindable, PaymentNotFound
from services.payments.holds import review
from services.payments.ledger import withheld_money
from services.payments.models import Payment
from services.payments.reconciliation import ledger_check
from services.payments.reconciliation.report import Report
from services.payments.settlement.settle import settle
from tests.factories.payments import create_payment
from tests.fakes.paystack import FakePaystack
from tests.fixtures.payments import empty_payments_database
from tests.fixtures.payments_charges import CHARGES
from tests.fixtures.payments_jobs import Jobs
from tests.fixtures.payments_rows import ledger_balances

OPERATOR = Actor(id="operator-1")
WHICH = st.sampled_from([0, 1, 2])
STEP = st.one_of(
    st.tuples(st.just("charge"), WHICH, st.sampled_from(sorted(CHARGES)), st.sampled_from([None, 0, 750])),
    st.tuples(st.just("accept"), WHICH),
    st.tuples(st.just("bind"), WHICH),
    st.tuples(st.just("refund"), WHICH, st.integers(1, 60_000)),
    st.tuples(st.just("dispute"), WHICH, st.sampled_from([None, 0, 20_000, 90_000])),
    st.tuples(st.just("dispute over"), WHICH, st.booleans()),
)


class System:
    """The real payments with three references, the last of which is unknown to the shop.

    By index of the reference, `disputed` is what disputes withhold of the payment, and `refunded_before` what had been refunded when an
    operator accepted or bound it.
    """

    def __init__(self, paystack: FakePaystack, jobs: Jobs, references: list[str]) -> None:
        self.paystack = paystack
        self.jobs = jobs
        self.references = references
        self.disputed: dict[int, int] = {}
        self.refunded_before: dict[int, int] = {}
        self.over: set[int] = set()

    async def step(self, what: str, which: int, *how: object) -> None:
        reference = self.references[which]
        match what, how:
            case "charge", (str(name), fees):
                charge = replace(CHARGES[name], reference=reference)
                if charge.requested_amount is None:
                    charge = replace(charge, fees=fees)  # type: ignore[arg-type]
                async with sessions.begin() as session:
                    await settle(session, [charge, charge])
            case "accept" | "bind", _:
                await self._decide(what, which)
            case "refund", (int(amount),):
                one = await self._paid(reference)
                if one is not None and one.refunded_amount < (one.paid_amount or 0):
                    await self._refund(reference, min(amount, (one.paid_amount or 0) - one.refunded_amount))
            case "dispute", (amount,):
                one = await self._paid(reference)
                if one is not None and which not in self.over:
                    # The first amount counts. Withholding nothing is not recorded, so a later amount of the same dispute still counts.
                    self.disputed[which] = self.disputed.get(which) or min(
                        one.paid_amount or 0, 90_000 if amount is None else int(str(amount))
                    )
                    async with sessions.begin() as session:
                        await withheld_money.record_withheld(session, one, which, amount)  # type: ignore[arg-type]
            case "dispute over", (bool(lost),):
                one = await self._paid(reference)
                if one is not None:
                    # A hold of nothing releases nothing.
                    if self.disputed.get(which):
                        self.over.add(which)
                        self.disputed[which] = 0
                    async with sessions.begin() as session:
                        await withheld_money.record_released(session, one, which, lost=lost)

    async def _refund(self, reference: str, amount: int) -> None:
        """Refund on Paystack's dashboard, and let payments record it."""
        one = self.paystack.transactions.get(reference) or self.paystack.add_transaction(reference)
        self.paystack.add_refund(one, amount, status="processed")
        await self.jobs.sync_refunds(reference)

    async def _paid(self, reference: str) -> Payment | None:
        async with sessions() as session:
            query = select(Payment).where(Payment.reference == reference, Payment.paid_amount > 0)
            return (await session.execute(query)).scalar_one_or_none()

    async def _decide(self, what: str, which: int) -> None:
        reference = self.references[which]
        order = Order(id=uuid4(), status="pending", amount=50_000, currency="NGN")
        try:
            async with sessions.begin() as session:
                if what == "accept":
                    await review.accept(session, reference, OPERATOR, "a regular")
                else:
                    await review.bind(session, reference, OPERATOR, order, "by phone")
        except (NotHeld, OrderNotBindable, PaymentNotFound):
            return
        decided = await self._paid(reference)
        self.refunded_before[which] = decided.refunded_amount if decided else 0

    async def expected(self) -> dict[str, dict[str, int]]:
        """Return the balances as they follow from the payments alone."""
        sums: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for which, reference in enumerate(self.references):
            one = await self._paid(reference)
            if one is None:
                continue
            accounts = sums[one.paid_currency or ""]
            paid, fees, refunded = one.paid_amount or 0, one.fees or 0, one.refunded_amount
            disputed = self.disputed.get(which, 0)
            receivable = "paystack:receivable" if one.domain == "test" else "paystack:other_mode"
            accounts[receivable] += paid - fees - refunded - disputed
            accounts["fees"] += fees
            accounts["disputes"] += disputed
            if one.held_reason is None:
                before = self.refunded_before.get(which, 0)
                accounts["sales"] -= paid - before
                accounts["refunds"] += refunded - before
            else:
                accounts["held"] -= paid - refunded
        nonzero = {currency: {name: n for name, n in accounts.items() if n} for currency, accounts in sums.items()}
        return {currency: accounts for currency, accounts in nonzero.items() if accounts}


@given(st.lists(STEP, min_size=1, max_size=12))
@example([("charge", 0, "foreign", None), ("dispute", 0, 0), ("dispute", 0, None)])
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_ledger_whatever_happens_balances_and_says_what_the_payments_say(
    payments_database: None, paystack: FakePaystack, jobs: Jobs, steps: list[tuple[object, ...]]
) -> None:
    await empty_payments_database()
    references = [(await create_payment()).reference, (await create_payment()).reference, f"pay-dva-{uuid4().hex}"]
    system = System(paystack, jobs, references)
    for step in steps:
        await system.step(*step)  # type: ignore[arg-type]
        balances = await ledger_balances()
        assert all(sum(accounts.values()) == 0 for accounts in balances.values())
        assert balances == await system.expected()
    now = datetime.now(UTC)
    report = Report(since=now - timedelta(days=1), until=now + timedelta(days=1))
    await ledger_check.compare(sessions, report)
    assert report.differences == []
