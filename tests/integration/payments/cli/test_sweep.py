"""`sweep` verifies the payments that are due, or all pending ones."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from kit.db.engine import create_engine
from services.payments.models import Payment
from services.payments.settings import settings
from tests.factories.payments import create_payment
from tests.fixtures.merchant import KEY, Merchant
from tests.fixtures.payments_cli import NOBODY_LISTENS, CommandLine
from tests.fixtures.payments_rows import find_payment
from tests.fixtures.sandbox import sandbox_process


@pytest.fixture(scope="module")
async def merchant(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Merchant]:
    """The sandbox; its webhooks go nowhere."""
    database = tmp_path_factory.mktemp("sandbox") / "sandbox.sqlite"
    async with sandbox_process(database, SANDBOX_WEBHOOK_URL=f"{NOBODY_LISTENS}/hook") as process:
        yield process.merchant


async def test_sweep_verifies_payments_that_are_due_or_all(merchant: Merchant, command: CommandLine) -> None:
    command.use_paystack(str(merchant.http.base_url), KEY)
    started = [await merchant.start(amount=50_000) for _ in range(3)]
    ones = [await create_payment(each["reference"]) for each in started]
    for one in ones[:2]:
        await merchant.pay(one.reference, outcome="success", deliveries=0)
    assert (await command.run("sweep", "--json")).json["attempted"] == 0  # none is due
    swept = await command.run("sweep", "--all")
    assert "3 of 3 payments verified in" in swept.err
    assert [(await find_payment(one.reference)).status for one in ones] == ["succeeded", "succeeded", "pending"]


async def test_sweep_when_paystack_is_away_ends_with_exit_code_1(command: CommandLine) -> None:
    command.use_paystack(NOBODY_LISTENS)
    await create_payment()
    away = await command.run("sweep", "--all", "--json")
    assert away.code == 1
    assert {name: json.loads(away.out)[name] for name in ("attempted", "verified")} == {"attempted": 1, "verified": 0}
    assert "1 payments could not be verified" in away.err


async def test_sweep_when_others_hold_payments_says_so(command: CommandLine) -> None:
    command.use_paystack(NOBODY_LISTENS)
    one = await create_payment(verify_next_attempt_at=datetime.now(UTC) - timedelta(seconds=1))
    own = create_engine(
        settings.payments_database_url, name="holder"
    )  # the command disposes of that of services.payments.db
    async with own.begin() as holder:
        await holder.execute(select(Payment.id).where(Payment.reference == one.reference).with_for_update())
        swept = await command.run("sweep")
    await own.dispose()
    assert (swept.code, "0 of 0 payments verified in" in swept.err, "1 due payments skipped" in swept.err) == (
        0,
        True,
        True,
    )
