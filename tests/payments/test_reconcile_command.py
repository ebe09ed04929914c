"""`python -m services.payments reconcile`, as an operator or a timer runs it, against the sandbox."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from services.payments.__main__ import cli
from services.payments.db import sessions
from services.payments.paystack.charge import parse_charge
from services.payments.settlement.settle import settle
from tests.fixtures.merchant import KEY, Merchant
from tests.fixtures.sandbox import sandbox_process
from tests.payments.conftest import found, payment
from tests.payments.test_ledger import balances, refund_processed


@pytest.fixture
async def merchant(tmp_path: Path) -> AsyncIterator[Merchant]:
    async with sandbox_process(tmp_path / "sandbox.db") as process:
        yield process.merchant


async def command(url: str, *words: str, key: str = KEY) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.payments",
        "reconcile",
        *words,
        env={**os.environ, "PAYSTACK_URL": url, "PAYSTACK_SECRET_KEY": key},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def bought(merchant: Merchant) -> str:
    """Paid at the sandbox, and settled here."""
    one = await payment(amount=250_000)
    await merchant.start(reference=one.reference)
    await merchant.pay(one.reference)
    told: dict[str, Any] = await merchant.verify(one.reference)
    async with sessions.begin() as session:
        await settle(session, [parse_charge(told)])
    return one.reference


def tomorrow() -> str:
    return f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%d}"


async def test_from_agreement_to_differences(merchant: Merchant) -> None:
    url = str(merchant.http.base_url)
    await bought(merchant)
    await merchant.control("settlements")
    code, out, err = await command(url, "--to", tomorrow())
    assert (code, out.splitlines()[-1]) == (0, "all agree"), out + err
    assert set((await balances())["NGN"]) == {"bank", "fees", "sales"}
    lost = await merchant.paid()
    code, out, err = await command(url, "--to", tomorrow(), "--json")
    assert code == 1, err
    report = json.loads(out)
    counted = {name: report[name] for name in ("payments", "transactions", "payouts", "payouts_recorded")}
    assert counted == {"payments": 1, "transactions": 2, "payouts": 1, "payouts_recorded": 0}
    (difference,) = report["differences"]
    assert (difference["kind"], difference["reference"]) == ("missing_here", lost["reference"])
    _, out, _ = await command(url, "--to", tomorrow())
    assert lost["reference"] in out
    assert out.splitlines()[-1] == "1 differences"


async def test_a_refund_goes_through_the_books_to_the_bank(merchant: Merchant) -> None:
    reference = await bought(merchant)
    refund = await merchant.refund(reference, amount=100_000)
    await merchant.control(f"refunds/{refund['id']}", outcome="processed")
    await refund_processed(await found(reference), 100_000)
    await merchant.control("settlements")
    code, out, err = await command(str(merchant.http.base_url), "--to", tomorrow())
    assert (code, out.splitlines()[-1]) == (0, "all agree"), out + err
    sums = (await balances())["NGN"]
    assert (set(sums), sums["refunds"]) == ({"bank", "fees", "refunds", "sales"}, 100_000)


async def test_where_paystack_cannot_be_asked(merchant: Merchant) -> None:
    code, out, err = await command(str(merchant.http.base_url), key="sk_test_of_somebody_else")
    assert (code, out) == (2, "")
    assert "Not reconciled: KeyRejected" in err


@pytest.mark.parametrize(
    "words", [("--from", "2026-02-01", "--to", "2026-01-01"), ("--from", "2020-01-01"), ("--to", "soon")]
)
def test_a_period_that_makes_no_sense(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(cli, ["reconcile", *words])
    assert result.exit_code == 2
    assert "Usage" in result.output
