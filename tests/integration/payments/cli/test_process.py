"""The command line in a process of its own: how it ends, and what it offers."""

import asyncio
import json
import re
import signal

from sqlalchemy import text
from typer.main import get_command

from services.payments.cli.commands import cli
from services.payments.db import sessions
from tests.factories.payments import create_payment
from tests.fixtures.loops import until
from tests.fixtures.payments_cli import NOBODY_LISTENS, CommandLine, start_process
from tests.fixtures.payments_rows import execute

COMMANDS = {
    "account-dead-letters",
    "audit",
    "backfill",
    "check-migrations",
    "dead-letters",
    "disputes",
    "failed-events",
    "holds",
    "migrate",
    "payments",
    "reconcile",
    "refund",
    "refunds",
    "rejected-transfers",
    "reprocess-events",
    "republish",
    "serve",
    "status",
    "sweep",
    "unrelated-charges",
    "webhooks",
    "worker",
}


async def read_until(process: asyncio.subprocess.Process, words: str) -> None:
    """Wait until the process has written these words to stderr."""
    assert process.stderr is not None
    async for line in process.stderr:
        if words.encode() in line:
            return
    raise AssertionError(words)


async def test_sweep_when_it_is_interrupted_prints_what_it_did() -> None:
    for _ in range(3):
        await create_payment()
    slow = {"PAYMENTS_PAYSTACK_CALLS_PER_MINUTE": "1"}
    sweeping = await start_process("sweep", "--all", "--json", PAYSTACK_URL=NOBODY_LISTENS, **slow)
    async with asyncio.timeout(60):
        await read_until(sweeping, "verification failed")  # the first; the second call would come a minute later
        sweeping.send_signal(signal.SIGINT)
        out, err = await sweeping.communicate()
    assert sweeping.returncode == 1
    found = json.loads(out)
    assert (found["due"], found["attempted"], found["interrupted"]) == (3, 1, True)
    assert b"Interrupted" in err


async def test_reprocess_when_it_is_interrupted_says_so_and_fails() -> None:
    insert = """
        INSERT INTO webhook_events (key, body, headers, status, processed_at)
        SELECT 'key-' || n, '{}', '{}', 'processed', now() FROM generate_series(1, 600) AS n
    """
    await execute(insert)
    async with sessions.begin() as session:
        await session.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        await session.execute(text("LOCK TABLE webhook_events"))
        reprocessing = await start_process("webhooks", "reprocess", "--status", "processed", "--json")
        await until(is_waiting_for_the_lock)
        reprocessing.send_signal(signal.SIGINT)
    async with asyncio.timeout(60):
        out, err = await reprocessing.communicate()
    assert reprocessing.returncode == 1
    assert (json.loads(out)["count"], json.loads(out)["interrupted"]) == (500, True)
    assert b"Interrupted" in err


async def is_waiting_for_the_lock() -> bool:
    async with sessions() as session:
        return bool((await session.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted"))).scalar_one())


async def test_status_when_the_database_is_away_says_so_in_a_sentence() -> None:
    url = "postgresql://payments:no-such-password@127.0.0.1:9/payments"
    process = await start_process("status", PAYMENTS_DATABASE_URL=url)
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode == 1
    assert out == b""
    assert b"Traceback" not in err
    assert b"the database cannot be used" in err


async def test_help_lists_all_commands(command: CommandLine) -> None:
    shown = await command.run("--help")
    assert set(re.findall(r"^\W*([a-z-]+) {2,}\S", shown.out, re.MULTILINE)) >= COMMANDS
    assert set(get_command(cli).commands) == COMMANDS  # type: ignore[attr-defined]
