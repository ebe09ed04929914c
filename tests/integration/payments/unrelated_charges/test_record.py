"""Money of other applications on the same Paystack account is recorded and listed without an operator; a setting holds it instead."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from kit.settings import load_settings
from kit.worker.shutdown import Shutdown
from services.payments import references
from services.payments.db import sessions
from services.payments.metrics import Metrics
from services.payments.reconciliation.paystack_reader import PaystackReader
from services.payments.reconciliation.report import Report
from services.payments.reconciliation.transactions import TransactionComparison
from services.payments.settings import PaymentsSettings
from tests.factories.payments import create_payment
from tests.fakes.catalog import FakeCatalog
from tests.fakes.paystack import FakePaystack, charge_success
from tests.fakes.shutdown import UntilIdle
from tests.fixtures.metrics import metric
from tests.fixtures.payments_jobs import Jobs
from tests.fixtures.payments_requests import deliver
from tests.fixtures.payments_rows import all_payments, find_payment, ledger_balances, outbox_types, webhook_events

OTHER = "T685312322670591"


def change_settings(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    """Let the rules about references use the settings of an environment with these variables."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(references, "settings", load_settings(PaymentsSettings))


async def unrelated(client: httpx.AsyncClient, operator: dict[str, str], query: str = "") -> list[str]:
    answer = await client.get(f"/payments/unrelated-charges{query}", headers=operator)
    assert answer.status_code == 200, answer.text
    return [charge["reference"] for charge in answer.json()["items"]]


async def test_charge_that_is_not_ours_is_recorded_once_counted_and_listed(
    client: httpx.AsyncClient, operator: dict[str, str], customer: dict[str, str]
) -> None:
    before = metric("unrelated_charges_total")
    await deliver(client, charge_success(OTHER, fees=750), charge_success(OTHER, fees=750, channel="bank"))
    await deliver(client, charge_success("eu-1", fees=None))
    assert await all_payments() == []
    assert await unrelated(client, operator) == ["eu-1", OTHER]
    assert metric("unrelated_charges_total") == before + 2
    assert {(event.status, event.outcome) for event in await webhook_events()} == {("processed", "unrelated reference")}
    assert await outbox_types() == []
    assert await Metrics(sessions).measure() is None
    assert metric("payments_held") == 0
    sums = (await ledger_balances())["NGN"]
    assert sums == {"paystack:receivable": 2 * 50_000 - 750, "other_applications": 750 - 2 * 50_000}
    assert (await client.get("/payments/unrelated-charges", headers=customer)).json()["code"] == "not_allowed"
    page = (await client.get("/payments/unrelated-charges?limit=1", headers=operator)).json()
    assert await unrelated(client, operator, f"?limit=1&cursor={page['next_cursor']}") == [OTHER]


async def test_refunds_disputes_and_unreadable_charges_that_are_not_ours_need_no_operator(
    client: httpx.AsyncClient, paystack: FakePaystack, jobs: Jobs, operator: dict[str, str]
) -> None:
    paystack.open_dispute(paystack.add_transaction(OTHER), 50_000)
    (dispute,) = paystack.undelivered
    refund = {
        "event": "refund.processed",
        "data": {"transaction_reference": OTHER, "amount": "5", "status": "processed"},
    }
    unreadable = charge_success(OTHER)
    unreadable["data"]["amount"] = None
    failed = charge_success(OTHER, status="failed")
    await deliver(client, dispute, refund, unreadable, failed)
    await jobs.dispute_poller.search(UntilIdle())
    assert {(event.status, event.outcome, event.error) for event in await webhook_events()} == {
        ("processed", "unrelated reference", None)
    }
    await Metrics(sessions).measure()
    assert metric("disputes_open") == 0
    assert await unrelated(client, operator) == []


async def test_charge_that_may_be_ours_is_held(client: httpx.AsyncClient, operator: dict[str, str]) -> None:
    await deliver(client, charge_success("pay-lost-with-the-database"))
    assert (await find_payment("pay-lost-with-the-database")).status == "held"
    assert await unrelated(client, operator) == []


async def test_charge_of_a_payment_with_another_prefix_is_settled(client: httpx.AsyncClient) -> None:
    one = await create_payment("shop-1")  # created before the prefix was changed
    await deliver(client, charge_success(one.reference))
    assert (await find_payment(one.reference)).status == "succeeded"


async def test_charge_with_a_previous_prefix_is_held(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_settings(
        monkeypatch, PAYMENTS_REFERENCE_PREFIX="shop2-", PAYMENTS_REFERENCE_PREFIXES_PREVIOUS="pay-, shop1-"
    )
    await deliver(client, charge_success("pay-1"), charge_success("shop1-1"), charge_success("shop2-1"))
    assert {payment.status for payment in await all_payments()} == {"held"}
    assert len(await all_payments()) == 3


async def test_charge_that_is_not_ours_is_held_if_the_setting_says_so(
    client: httpx.AsyncClient, operator: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    change_settings(monkeypatch, PAYMENTS_HOLD_UNRELATED_CHARGES="true")
    await deliver(client, charge_success(OTHER))
    held = await find_payment(OTHER)
    assert (held.status, held.held_reason) == ("held", "unknown_reference")
    assert await unrelated(client, operator) == []


async def test_charge_that_was_recorded_as_unrelated_stays_so_when_the_setting_changes(
    client: httpx.AsyncClient, operator: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await deliver(client, charge_success(OTHER, id=1))
    change_settings(monkeypatch, PAYMENTS_HOLD_UNRELATED_CHARGES="true")
    await deliver(client, charge_success(OTHER, id=2))
    assert await all_payments() == []
    assert await unrelated(client, operator) == [OTHER]
    assert sum((await ledger_balances())["NGN"].values()) == 0


async def test_started_payment_has_the_prefix_of_the_setting(
    client: httpx.AsyncClient, customer: dict[str, str], catalog: FakeCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_settings(monkeypatch, PAYMENTS_REFERENCE_PREFIX="shop-eu-")
    answer = await client.post("/payments", json={"order_id": catalog.add_order()}, headers=customer)
    assert (answer.status_code, answer.json()["reference"][:8]) == (201, "shop-eu-")
    assert len(answer.json()["reference"]) == len("shop-eu-") + 32


@pytest.mark.parametrize(
    "variables",
    [{"PAYMENTS_HOLD_UNRELATED_CHARGES": "true"}, {"PAYMENTS_REFERENCE_PREFIX": "T6"}],
)
async def test_refunds_disputes_and_differences_of_recorded_charges_need_no_operator_when_the_settings_change(
    client: httpx.AsyncClient,
    paystack: FakePaystack,
    jobs: Jobs,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
) -> None:
    transaction = paystack.add_transaction(OTHER)
    await deliver(client, charge_success(OTHER))
    change_settings(monkeypatch, **variables)
    paystack.open_dispute(transaction, 50_000)
    paystack.add_refund(transaction, 10_000)
    unreadable = charge_success(OTHER)
    unreadable["data"]["amount"] = None
    await deliver(client, *paystack.undelivered, unreadable)
    await jobs.dispute_poller.search(UntilIdle())
    assert {(event.status, event.outcome, event.error) for event in await webhook_events()} == {
        ("processed", "unrelated reference", None)
    }
    await Metrics(sessions).measure()
    assert metric("disputes_open") == 0
    now = datetime.now(UTC)
    report = Report(since=now - timedelta(days=1), until=now + timedelta(minutes=1))
    reader = PaystackReader(sessions, jobs.paystack, Shutdown(), report, lambda _: None)
    await TransactionComparison(reader).compare()
    assert (report.unrelated, report.differences) == (1, [])
    assert await all_payments() == []
