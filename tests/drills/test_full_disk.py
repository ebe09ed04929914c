"""A full disk: no webhook is answered 200 that is not stored, and with room again everything works as before."""

import asyncio
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from dev.process import ports, system_users
from dev.process.console import Console
from dev.process.supervisor import Supervisor
from dev.servers.postgres import Postgres
from dev.servers.state import State
from tests.fixtures.loops import until
from tests.fixtures.payments_requests import post_webhook
from tests.fixtures.service_process import serving

pytestmark = pytest.mark.drill
DISK_MIB = 160
LEFT_BYTES = 24 * 1024 * 1024
BODY_BYTES = 900_000
WAL_FILE_BYTES = 16 * 1024 * 1024


@pytest.fixture
def disk() -> Iterator[Path]:
    """A small file system, which only root can mount."""
    folder = Path(tempfile.mkdtemp(prefix="shop-disk-"))
    size = f"size={DISK_MIB}m,mode=711"
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)], check=False)
    if mounted.returncode:
        folder.rmdir()
    assert mounted.returncode == 0, "mounting a tmpfs needs root"
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
        folder.rmdir()


@pytest.fixture
async def small_postgres(disk: Path) -> AsyncIterator[Postgres]:
    """A Postgres on that disk with the migrated database of payments. It is restarted whenever it ends."""
    (port,) = ports.reserve_free(1)
    server = Postgres(disk / "postgres", port, State(disk / "state.json"), ["payments"])
    supervisor = Supervisor(await server.prepare(Console()), Console(), lambda: None)
    await supervisor.start()
    try:
        await server.create_databases()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "services.payments", "migrate"),
            env={
                **os.environ,
                "PAYMENTS_DATABASE_URL": server.url("payments"),
                "PAYMENTS_MIGRATION_DATABASE_URL": server.owner_url("payments"),
            },
        )
        assert await process.wait() == 0
        yield server
    finally:
        await supervisor.stop()
        system_users.remove_relocated_folder(disk / "postgres")


def fill(file: Path, size: int) -> None:
    with file.open("wb") as opened:
        os.posix_fallocate(opened.fileno(), 0, size)


async def count_stored(server: Postgres) -> int:
    connection = await asyncpg.connect(server.url("payments"), timeout=5)
    try:
        return int(await connection.fetchval("SELECT count(*) FROM webhook_events"))
    finally:
        await connection.close(timeout=5)


async def test_webhooks_when_the_disk_is_full_are_stored_or_answered_503(disk: Path, small_postgres: Postgres) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    luck = random.Random(seed)
    bodies = [b'{"event":"x","data":"%s"}' % luck.randbytes(BODY_BYTES // 2).hex().encode() for _ in range(80)]
    async with serving("payments", PAYMENTS_DATABASE_URL=small_postgres.url("payments")) as api:
        filler = disk / "filler"
        fill(filler, shutil.disk_usage(disk).free - LEFT_BYTES)
        answers: list[httpx.Response] = [await post_webhook(api.client, body) for body in bodies]
        stored = sum(answer.status_code == 200 for answer in answers)
        refused = [answer for answer in answers if answer.status_code != 200]
        print(f"{stored} stored, {len(refused)} refused")
        assert stored > 0
        assert refused
        assert {answer.status_code for answer in refused} == {503}
        assert all(answer.headers["retry-after"] for answer in refused)
        assert (await api.client.get("/livez")).status_code == 200
        filler.unlink()

        async def accepted() -> bool:
            return (await post_webhook(api.client, b'{"event":"x"}')).status_code == 200

        await until(accepted, 60)
        assert await count_stored(small_postgres) >= stored + 1
        # As many as there is room for now: each is written to the write-ahead log and to the table. Postgres may begin two log files.
        room = (shutil.disk_usage(disk).free - 2 * WAL_FILE_BYTES) // (2 * BODY_BYTES)
        # Those that were stored already are not stored twice.
        again = [await post_webhook(api.client, body) for body in bodies[: stored + room]]
        assert len(again) > 2 * stored
        assert {answer.status_code for answer in again} == {200}
        assert await count_stored(small_postgres) <= len(bodies) + 1
