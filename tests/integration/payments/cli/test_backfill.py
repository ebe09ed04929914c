"""`backfill` fetches webhook events that never came."""

import re
from collections.abc import AsyncIterator

import pytest

from tests.factories.payments import create_payment
from tests.fixtures.merchant import KEY, Merchant
from tests.fixtures.payments_cli import NOBODY_LISTENS, CommandLine
from tests.fixtures.payments_jobs import process_webhook_events
from tests.fixtures.payments_rows import find_payment
from tests.fixtures.sandbox import sandbox_process


@pytest.fixture(scope="module")
async def merchant(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Merchant]:
    """The sandbox; its webhooks go nowhere."""
    database = tmp_path_factory.mktemp("sandbox") / "sandbox.sqlite"
    async with sandbox_process(database, SANDBOX_WEBHOOK_URL=f"{NOBODY_LISTENS}/hook") as process:
        yield process.merchant


async def test_backfill_stores_lost_webhooks_once(merchant: Merchant, command: CommandLine) -> None:
    command.use_paystack(str(merchant.http.base_url), KEY)
    started = await merchant.start(amount=50_000)
    one = await create_payment(started["reference"])
    await merchant.pay(one.reference, outcome="success", deliveries=0)
    # Events of the last two minutes may still arrive.
    newest = (await command.run("backfill", "--json")).json
    assert (newest["complete"], newest["stored"]) == (True, 0)
    assert (await command.run("backfill", "--from", "1h", "--json")).json["stored"] >= 1
    await process_webhook_events()
    assert (await find_payment(one.reference)).status == "succeeded"
    again = await command.run("backfill", "--from", "1h")
    assert re.search(r"\d+ webhook events checked, 0 of them were missing", again.err)


async def test_backfill_when_paystack_is_away_ends_with_exit_code_1(command: CommandLine) -> None:
    command.use_paystack(NOBODY_LISTENS)
    away = await command.run("backfill", "--from", "1h")
    assert away.code == 1
    assert "NoAnswer" in away.err
