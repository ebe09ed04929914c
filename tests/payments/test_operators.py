"""The operators' command line, as it is typed: a process of its own, on the same database, with the sandbox as Paystack."""

import asyncio
import getpass
import io
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console
from sqlalchemy import select

from services.payments.cli import output
from services.payments.db import sessions
from services.payments.holds.models import Decision
from services.payments.models import Dispute, Payment
from services.payments.refunds.models import Refund
from tests.fixtures.merchant import KEY, Merchant
from tests.fixtures.sandbox import sandbox_process
from tests.payments.conftest import charge, found, outbox_types, payment, send, settle_all, stored

CALLS = "PAYMENTS_PAYSTACK_CALLS_PER_MINUTE"
ME = f"operator:{getpass.getuser()}"


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.code == 0, self.err
        return json.loads(self.out)


async def begun(*arguments: str, **environment: str) -> asyncio.subprocess.Process:
    """`python -m services.payments …`"""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.payments",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "COLUMNS": "250", "PAYMENTS_WORKER_PORT": "9", **environment},
    )


async def typed(*arguments: str, **environment: str) -> Said:
    """The same, to its end."""
    process = await begun(*arguments, **environment)
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert b"Traceback" not in err, err.decode()
    return Said(process.returncode or 0, out.decode(), err.decode())


async def said(process: asyncio.subprocess.Process, words: str) -> None:
    """Wait until the process has said this on stderr."""
    assert process.stderr is not None
    async for line in process.stderr:
        if words.encode() in line:
            return
    raise AssertionError(words)


@pytest.fixture(scope="module")
async def merchant(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Merchant, dict[str, str]]]:
    """The sandbox, and the environment in which it is Paystack. Its webhooks go nowhere."""
    folder: Path = tmp_path_factory.mktemp("sandbox")
    async with sandbox_process(folder / "sandbox.sqlite", SANDBOX_WEBHOOK_URL="http://127.0.0.1:9/hook") as process:
        url = str(process.merchant.http.base_url)
        yield process.merchant, {"PAYSTACK_URL": url, "PAYSTACK_SECRET_KEY": KEY}


async def test_status(client: httpx.AsyncClient) -> None:
    for _ in range(3):
        await payment()
    await payment(status="held", held_reason="amount_differs")
    await send(client, charge("pay-waits"))
    await send(client, b"no notice")
    await settle_all()
    await send(client, {"event": "moon.landed", "data": {}})
    paid = await payment(status="disputed", paid_amount=50_000, paid_currency="NGN")
    now = datetime.now(UTC)
    async with sessions.begin() as session:
        failed = {"status": "failed", "currency": "NGN", "requested_by": "catalog"}
        session.add(Refund(payment_id=paid.id, amount=50_000, **failed))
        session.add(Dispute(id=7, status="pending", opened_at=now, due_at=now + timedelta(hours=3)))
    told = (await typed("status", "--json")).json
    assert told["payments"] == {"pending": 3, "held": 2, "disputed": 1}
    assert (told["refunds_that_wait"], told["disputes"]["open"]) == (1, 1)
    assert 0 < told["disputes"]["due_seconds"] < 3 * 3600
    assert (told["notices"]["pending"], told["notices"]["failed"]) == (1, 1)
    assert told["sweep"]["due"] == 0
    assert told["refunds"]["requested"] == 0
    assert told["backfill"]["ran_at"] is None
    assert "no worker answers" in told["worker"]["error"]
    shown = await typed("status")
    assert shown.code == 0
    assert "1 wait for a person" in shown.out
    assert "needs-attention; 1 wait for a person" in shown.out
    assert "1 open, the first that waits for our answer is due in 3" in shown.out
    assert "no worker answers" in shown.out


async def test_notices(client: httpx.AsyncClient) -> None:
    one = await payment()
    await send(client, charge(one.reference))
    await send(client, b'{"event":"moon.[red]landed","data":"\x1b[31m"}')
    await settle_all()
    paid, moon = await stored()
    listed = (await typed("notices", "list", "--json")).json
    assert [each["id"] for each in listed] == [moon.id, paid.id]
    assert [each["id"] for each in (await typed("notices", "list", "--event", "charge.success", "--json")).json] == [
        paid.id
    ]
    assert (await typed("notices", "list", "--to", "1h", "--json")).json == []
    assert len((await typed("notices", "list", "--from", "1h", "--reference", one.reference, "--json")).json) == 1
    table = (await typed("notices", "list")).out
    assert one.reference in table
    assert "moon.[red]landed" in table or "\x1b" not in table
    shown = await typed("notices", "show", str(moon.id))
    assert "x-paystack-signature" in shown.out
    assert "\x1b[31m" not in shown.out
    assert (await typed("notices", "show", str(paid.id), "--json")).json["body"] == paid.body.decode()
    nobody = await typed("notices", "show", "999999999")
    assert (nobody.code, nobody.out) == (1, "")
    assert "There is no such notice." in nobody.err


@pytest.mark.parametrize("width", [20, 80, *range(100, 132)])
def test_nothing_is_cut_off_however_narrow_the_terminal_is(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    said = io.StringIO()
    monkeypatch.setattr(output, "out", Console(file=said, width=width))
    reference = "pay-0123456789abcdef0123456789abcdef"
    columns = ("received_at", "event", "reference", "outcome", "attempts", "error")
    output.print_rows(
        columns,
        [
            (datetime(2026, 11, 24, 9, 30, tzinfo=UTC), "refund.processing", reference, "refund sync scheduled", 1, None),
            (datetime(2026, 11, 24, 9, 31, tzinfo=UTC), "moon.landed", None, "unchanged: succeeded", 12, "so it is"),
        ],
    )
    told = said.getvalue()
    for word in (reference, "refund.processing", "received", "attempts", "error", "succeeded", "09:31:00", "12", "is"):
        assert word in told, told
    assert width == 20 or all(len(line) <= width for line in told.splitlines()), told


async def test_replay(client: httpx.AsyncClient) -> None:
    one = await payment()
    for notice in (charge(one.reference), {"event": "moon.landed", "data": {}}):
        await send(client, notice)
    await settle_all()
    ids = [str(notice.id) for notice in await stored()]
    assert (await typed("notices", "replay", *ids, "--json")).json == {"count": 2, "by": ME}
    assert {notice.status for notice in await stored()} == {"pending"}
    await settle_all()
    again = await typed("notices", "replay", "--event", "moon.landed")
    assert "1 notices are pending again" in again.err
    assert (await typed("notices", "replay")).code == 2
    turned = await typed("notices", "replay", "--from", "1h", "--to", "2h")
    assert turned.code == 2
    assert "ends before it begins" in turned.err
    assert (await typed("notices", "replay", "--from", "yesterday")).code == 2


async def test_sweep(merchant: tuple[Merchant, dict[str, str]]) -> None:
    shop, environment = merchant
    started = [await shop.start(amount=50_000) for _ in range(3)]
    ones = [await payment(each["reference"]) for each in started]
    for one in ones[:2]:
        await shop.pay(one.reference, outcome="success", deliveries=0)
    assert (await typed("sweep", "--json", **environment)).json["asked"] == 0  # their turn has not come
    swept = await typed("sweep", "--all", **environment)
    assert "asked about 3 in" in swept.err
    assert [(await found(one.reference)).status for one in ones] == ["succeeded", "succeeded", "pending"]
    away = await typed("sweep", "--all", "--json", PAYSTACK_URL="http://127.0.0.1:9")
    assert away.code == 1
    assert {name: json.loads(away.out)[name] for name in ("asked", "answered")} == {"asked": 1, "answered": 0}
    assert "1 were not answered" in away.err


async def test_a_sweep_says_what_it_left_to_others(merchant: tuple[Merchant, dict[str, str]]) -> None:
    one = await payment(verify_next_attempt_at=datetime.now(UTC) - timedelta(seconds=1))
    async with sessions.begin() as holder:
        await holder.execute(select(Payment.id).where(Payment.reference == one.reference).with_for_update())
        swept = await typed("sweep", **merchant[1])
    assert (swept.code, "asked about 0 in" in swept.err, "1 are in the hands" in swept.err) == (0, True, True)


async def test_an_interrupted_sweep_says_what_it_did() -> None:
    for _ in range(3):
        await payment()
    sweeping = await begun("sweep", "--all", "--json", PAYSTACK_URL="http://127.0.0.1:9", **{CALLS: "1"})
    async with asyncio.timeout(60):
        await said(sweeping, "verify failed")  # the first; the next one's turn is a minute later
        sweeping.send_signal(signal.SIGINT)
        out, err = await sweeping.communicate()
    assert sweeping.returncode == 1
    told = json.loads(out)
    assert (told["due"], told["asked"], told["interrupted"]) == (3, 1, True)
    assert b"interrupted" in err


async def test_backfill(merchant: tuple[Merchant, dict[str, str]]) -> None:
    shop, environment = merchant
    started = await shop.start(amount=50_000)
    one = await payment(started["reference"])
    await shop.pay(one.reference, outcome="success", deliveries=0)
    assert (await typed("backfill", "--json", **environment)).json[
        "complete"
    ]  # what is younger than two minutes is on its way
    told = (await typed("backfill", "--from", "1h", "--json", **environment)).json
    assert told["stored"] >= 1
    await settle_all()
    assert (await found(one.reference)).status == "succeeded"
    again = await typed("backfill", "--from", "1h", **environment)
    assert re.search(r"looked through \d+ events; 0 had never come", again.err)
    away = await typed("backfill", "--from", "1h", PAYSTACK_URL="http://127.0.0.1:9")
    assert away.code == 1
    assert "NoAnswer" in away.err


async def test_held_money_is_accepted(client: httpx.AsyncClient) -> None:
    one = await payment()
    await send(client, charge(one.reference, amount=49_950))
    await settle_all()
    (listed,) = (await typed("held", "list", "--json")).json
    assert (listed["reference"], listed["held_reason"], listed["paid_amount"]) == (
        one.reference,
        "amount_differs",
        49_950,
    )
    assert one.reference in (await typed("held", "list")).out
    assert (await typed("held", "accept", one.reference)).code == 2  # a reason is needed
    assert (await typed("held", "accept", one.reference, "--reason", " ")).code == 2
    taken = (await typed("held", "accept", one.reference, "--reason", "50 kobo short", "--json")).json
    assert taken["status"] == "succeeded"
    async with sessions() as session:
        decision = (await session.execute(select(Decision))).scalar_one()
    assert (decision.decided_by, decision.reason) == (ME, "50 kobo short")
    assert await outbox_types() == ["payment.held", "payment.succeeded"]
    twice = await typed("held", "accept", one.reference, "--reason", "x")
    assert (twice.code, twice.err.strip()) == (1, "The payment is succeeded.")


async def test_held_money_goes_back(client: httpx.AsyncClient) -> None:
    one, paid = await payment(), await payment()
    await send(client, charge(one.reference, amount=49_950))
    await send(client, charge(paid.reference))
    await settle_all()
    assert (await typed("held", "refund", paid.reference, "--reason", "x")).err.strip() == "The payment is succeeded."
    asked = (await typed("held", "refund", one.reference, "--reason", "not ours", "--json")).json
    assert (asked["amount"], asked["requested_by"], asked["status"]) == (49_950, ME, "requested")
    async with sessions() as session:
        refund = (await session.execute(select(Refund))).scalar_one()
    assert (refund.requested_by, refund.reason) == (ME, "not ours")
    (listed,) = (await typed("refunds", "list", "--json")).json
    assert (listed["payment"], listed["status"]) == (one.reference, "requested")
    assert (await typed("refunds", "list", "--status", "failed", "--json")).json == []
    assert one.reference in (await typed("refunds", "list")).out
    async with sessions() as session:
        due = (await session.execute(select(Payment.refunds_next_attempt_at).where(Payment.id == one.id))).scalar_one()
    assert due is not None


async def test_a_database_that_is_away_is_said_in_a_sentence() -> None:
    away = await typed("status", PAYMENTS_DATABASE_URL="postgresql://payments:no-such-password@127.0.0.1:9/payments")
    assert away.code == 1
    assert away.out == ""
    assert "the database cannot be used" in away.err


async def test_what_there_is_to_type() -> None:
    told = await typed("--help")
    for command in (
        "status",
        "notices",
        "sweep",
        "backfill",
        "republish",
        "held",
        "refunds",
        "serve",
        "worker",
        "migrate",
    ):
        assert command in told.out
