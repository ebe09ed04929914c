"""`reconcile` against the sandbox, as an operator or a timer runs it."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kit.messaging.notifier import Notifier
from services.payments import deliveries_client
from tests.factories.payments import create_payment
from tests.fixtures.merchant import KEY, Merchant
from tests.fixtures.payments import paystack_client
from tests.fixtures.payments_cli import CommandLine
from tests.fixtures.payments_jobs import Jobs, settle_charges
from tests.fixtures.payments_rows import ledger_balances
from tests.fixtures.sandbox import sandbox_process


@pytest.fixture
async def merchant(tmp_path: Path, command: CommandLine) -> AsyncIterator[Merchant]:
    """The sandbox, which the commands use as Paystack."""
    async with sandbox_process(tmp_path / "sandbox.db") as process:
        command.use_paystack(str(process.merchant.http.base_url), KEY)
        yield process.merchant


async def buy(merchant: Merchant) -> str:
    """Pay at the sandbox, and settle here. Return the reference."""
    one = await create_payment(amount=250_000)
    await merchant.start(reference=one.reference)
    await merchant.pay(one.reference)
    await settle_charges(await merchant.verify(one.reference))
    return one.reference


def tomorrow() -> str:
    return f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%d}"


async def test_reconcile_prints_that_all_agree_and_then_a_difference(merchant: Merchant, command: CommandLine) -> None:
    await buy(merchant)
    await merchant.control("settlements")
    agreed = await command.run("reconcile", "--to", tomorrow())
    assert (agreed.code, agreed.out.splitlines()[-1]) == (0, "No differences."), agreed
    assert set((await ledger_balances())["NGN"]) == {"bank", "fees", "sales"}
    assert "Not compared: Payments started before" in agreed.out
    assert "Not compared: The deliveries of catalog: PAYMENTS_CLIENT_SECRET is not set." in agreed.out
    until = json.loads((await command.run("reconcile", "--json")).out)["until"]
    assert datetime.now(UTC) - datetime.fromisoformat(until) > timedelta(minutes=10)
    started = await merchant.start(reference="pay-lost")
    lost = (await merchant.pay(started["reference"])).json()["data"]
    await merchant.paid()  # by another application
    found = await command.run("reconcile", "--to", tomorrow(), "--json")
    assert found.code == 1, found.err
    report = json.loads(found.out)
    counted = {name: report[name] for name in ("payments", "transactions", "payouts", "payouts_recorded")}
    assert counted == {"payments": 1, "transactions": 3, "payouts": 1, "payouts_recorded": 0}
    assert report["unrelated"] == 1
    (difference,) = report["differences"]
    assert (difference["kind"], difference["reference"]) == ("missing_here", lost["reference"])
    shown = await command.run("reconcile", "--to", tomorrow())
    assert lost["reference"] in shown.out
    assert shown.out.splitlines()[-1] == "Differences: 1"


async def test_reconcile_when_a_refund_was_paid_out_agrees(
    merchant: Merchant, command: CommandLine, notifier: Notifier
) -> None:
    reference = await buy(merchant)
    refund = await merchant.refund(reference, amount=100_000)
    await merchant.control(f"refunds/{refund['id']}", outcome="processed")
    async with paystack_client(url=str(merchant.http.base_url), key=KEY) as client:
        await Jobs(client, notifier).sync_refunds(reference)
    await merchant.control("settlements")
    agreed = await command.run("reconcile", "--to", tomorrow())
    assert (agreed.code, agreed.out.splitlines()[-1]) == (0, "No differences."), agreed
    sums = (await ledger_balances())["NGN"]
    assert (set(sums), sums["refunds"]) == ({"bank", "fees", "refunds", "sales"}, 100_000)


async def test_reconcile_when_paystack_rejects_the_key_ends_with_exit_code_2(
    merchant: Merchant, command: CommandLine
) -> None:
    command.use_paystack(str(merchant.http.base_url), "sk_test_of_another_merchant")
    rejected = await command.run("reconcile")
    assert (rejected.code, rejected.out) == (2, "")
    assert "Not reconciled: KeyRejected" in rejected.err


async def test_reconcile_when_catalog_does_not_answer_ends_with_exit_code_2(
    merchant: Merchant, command: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries_client, "ATTEMPTS", 1)
    command.use_client_secret("a secret of the tests")
    failed = await command.run("reconcile", "--to", tomorrow())
    assert (failed.code, failed.out) == (2, "")
    assert "Not reconciled: the deliveries were not read" in failed.err


@pytest.mark.parametrize(
    "words", [("--from", "2026-02-01", "--to", "2026-01-01"), ("--from", "2020-01-01"), ("--to", "soon")]
)
async def test_reconcile_when_the_period_is_invalid_prints_its_usage(
    command: CommandLine, words: tuple[str, ...]
) -> None:
    result = await command.run("reconcile", *words)
    assert result.code == 2
    assert "Usage" in result.out + result.err
