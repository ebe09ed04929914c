"""Idempotency keys for long-running requests: taken over when their request is gone, never held by two requests."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from pydantic import SecretStr
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from dev.servers.postgres import Postgres
from kit.db.engine import create_engine, create_sessionmaker
from kit.errors import Unavailable
from kit.idempotency.keys import IdempotencyKeyInUse, IdempotencyKeyReused, StoredResponse
from kit.idempotency.long_running import GRACE_SECONDS, IdempotencyLocks
from tests.fixtures.key_holder import Receipt, make_request
from tests.fixtures.kit_messaging import Sessions
from tests.fixtures.kit_tables import LongKeys
from tests.fixtures.proxy import Proxy


@pytest.fixture
async def locks(sessions: Sessions, postgres: Postgres) -> AsyncIterator[IdempotencyLocks]:
    """The locks of the idempotency keys of this process."""
    found = IdempotencyLocks(sessions, LongKeys, SecretStr(postgres.owner_url("kit")))
    yield found
    await found.close()


async def pay(locks: IdempotencyLocks, sessions: Sessions, key: str = "k-1", *, by: str = "me") -> str:
    """Do what a route does: hold the key, work, store the response, each in a transaction of its own."""
    async with locks.lock(make_request(key)) as locked:
        if locked.stored_response is not None:
            return str(locked.stored_response.body["by"])
        async with sessions.begin() as session:
            await locked.store_response(session, 201, Receipt(by=by))
        return by


async def is_in_use(locks: IdempotencyLocks) -> bool:
    try:
        async with locks.lock(make_request("k-1")):
            return False
    except IdempotencyKeyInUse:
        return True


class Holder:
    """A request in another process that holds a key."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def next_line(self) -> str:
        assert self.process.stdout is not None
        async with asyncio.timeout(20):
            async for line in self.process.stdout:
                if line in {b"held\n", b"stored\n", b"in use\n"}:  # skip its log lines
                    return line.decode().strip()
        return "no output"

    async def finish(self) -> str:
        """Let it store its response. Return the result: `stored` or `in use`."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        return await self.next_line()


@asynccontextmanager
async def holding(url: str) -> AsyncIterator[Holder]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.fixtures.key_holder", "k-1"),
        env={**os.environ, "KIT_URL": url},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    holder = Holder(process)
    try:
        assert await holder.next_line() == "held"
        yield holder
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_a_repeated_request_gets_the_stored_response(locks: IdempotencyLocks, sessions: Sessions) -> None:
    assert await pay(locks, sessions, by="first") == "first"
    assert await pay(locks, sessions, by="second") == "first"
    async with locks.lock(make_request("k-1")) as locked:
        assert locked.stored_response == StoredResponse(201, {"by": "first"})
    with pytest.raises(IdempotencyKeyReused):
        async with locks.lock(make_request("k-1", item="saucer")):
            pass


async def test_a_request_without_a_key_stores_nothing(locks: IdempotencyLocks, sessions: Sessions) -> None:
    async with locks.lock(None) as locked, sessions.begin() as session:
        assert locked.stored_response is None
        await locked.store_response(session, 201, Receipt(by="me"))
    async with sessions() as session:
        assert (await session.execute(select(LongKeys.key))).all() == []


async def test_a_failed_request_releases_its_key_at_once(locks: IdempotencyLocks, sessions: Sessions) -> None:
    with pytest.raises(RuntimeError):
        async with locks.lock(make_request("k-1")):
            raise RuntimeError
    async with asyncio.timeout(GRACE_SECONDS):
        assert await pay(locks, sessions) == "me"


async def test_a_failure_after_the_response_was_stored_keeps_the_response(
    locks: IdempotencyLocks, sessions: Sessions
) -> None:
    """For example if the connection breaks after the commit and before its confirmation."""

    async def cut_off() -> None:
        async with locks.lock(make_request("k-1")) as locked:
            async with sessions.begin() as session:
                await locked.store_response(session, 201, Receipt(by="first"))
            raise ConnectionError

    with pytest.raises(ConnectionError):
        await cut_off()
    assert await pay(locks, sessions, by="second") == "first"


async def test_concurrent_requests_in_one_process_have_one_effect(locks: IdempotencyLocks, sessions: Sessions) -> None:
    results = await asyncio.gather(*(pay(locks, sessions, by=uuid4().hex) for _ in range(20)), return_exceptions=True)
    assert len({result for result in results if isinstance(result, str)}) == 1
    assert all(isinstance(result, str | IdempotencyKeyInUse) for result in results)


async def test_no_advisory_lock_is_left_behind(
    locks: IdempotencyLocks, sessions: Sessions, engine: AsyncEngine
) -> None:
    await asyncio.gather(*(pay(locks, sessions, f"k-{number}") for number in range(20)))
    async with engine.connect() as connection:
        held = "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory'"
        found = await connection.execute(text(f"{held} AND application_name = 'locks'"))
        assert found.scalar_one() == 0


async def test_the_key_of_a_killed_process_is_taken_over_once(
    locks: IdempotencyLocks, sessions: Sessions, postgres: Postgres
) -> None:
    async with holding(postgres.owner_url("kit")) as holder:
        assert await is_in_use(locks)
        holder.process.kill()
        await holder.process.wait()
        results = await asyncio.gather(
            *(pay(locks, sessions, by=uuid4().hex) for _ in range(10)), return_exceptions=True
        )
    answered = {result for result in results if isinstance(result, str)}
    assert len(answered) == 1
    assert all(isinstance(result, str | IdempotencyKeyInUse) for result in results)


async def test_a_frozen_process_keeps_its_key(locks: IdempotencyLocks, sessions: Sessions, postgres: Postgres) -> None:
    async with holding(postgres.owner_url("kit")) as holder:
        holder.process.send_signal(signal.SIGSTOP)
        for _ in range(10):
            assert await is_in_use(locks)
            await asyncio.sleep(GRACE_SECONDS / 5)
        holder.process.send_signal(signal.SIGCONT)
        assert await holder.finish() == "stored"
    assert await pay(locks, sessions) == "holder"


async def test_a_process_keeps_its_key_when_its_connection_is_cut(
    locks: IdempotencyLocks, sessions: Sessions, postgres: Postgres
) -> None:
    async with Proxy(postgres.owner_url("kit")) as proxy, holding(proxy.url) as holder:
        for _ in range(2):
            proxy.cut()
            assert await is_in_use(locks)
        assert await holder.finish() == "stored"
    assert await pay(locks, sessions) == "holder"


async def test_a_request_whose_key_was_taken_over_stores_and_releases_nothing(
    locks: IdempotencyLocks, sessions: Sessions, postgres: Postgres
) -> None:
    async with Proxy(postgres.owner_url("kit")) as proxy, holding(proxy.url) as holder:
        proxy.refuse()  # the process is alive but has no connection
        async with locks.lock(make_request("k-1")) as ours:
            assert ours.stored_response is None
            proxy.flow()
            assert await holder.finish() == "in use"
            assert await is_in_use(locks)
            async with sessions.begin() as session:
                await ours.store_response(session, 201, Receipt(by="me"))
    assert await pay(locks, sessions) == "me"


async def test_a_key_that_could_not_be_released_is_taken_over(
    locks: IdempotencyLocks, sessions: Sessions, postgres: Postgres
) -> None:
    """The database is unavailable when the request fails, and available again afterwards. The process goes on."""
    async with Proxy(postgres.owner_url("kit")) as proxy:
        engine = create_engine(SecretStr(proxy.url), name="kit")
        other = IdempotencyLocks(create_sessionmaker(engine), LongKeys, SecretStr(postgres.owner_url("kit")))

        async def cut_off() -> None:
            async with other.lock(make_request("k-1")):
                proxy.refuse()
                raise RuntimeError

        try:
            with pytest.raises(RuntimeError):
                await cut_off()
            assert await pay(locks, sessions) == "me"
        finally:
            await other.close()
            await engine.dispose()


async def test_a_key_older_than_any_request_is_taken_over_once(
    locks: IdempotencyLocks, sessions: Sessions, postgres: Postgres
) -> None:
    """Its machine is gone, and the server still believes that it is connected."""
    async with holding(postgres.owner_url("kit")) as holder:
        assert await is_in_use(locks)
        async with sessions.begin() as session:
            await session.execute(update(LongKeys).values(created_at=text("now() - interval '41 seconds'")))
        results = await asyncio.gather(*(pay(locks, sessions, by="me") for _ in range(10)), return_exceptions=True)
        assert "me" in results
        assert all(result == "me" or isinstance(result, IdempotencyKeyInUse) for result in results)
        assert await holder.finish() == "in use"


async def test_a_key_without_a_holder_is_in_use(locks: IdempotencyLocks, sessions: Sessions) -> None:
    async with locks.lock(make_request("k-1")):
        async with sessions.begin() as session:
            await session.execute(update(LongKeys).values(holder=None))
        assert await is_in_use(locks)
    async with sessions.begin() as session:
        await session.execute(update(LongKeys).values(created_at=text("now() - interval '41 seconds'")))
    assert await pay(locks, sessions) == "me"


async def test_without_a_connection_the_key_is_not_touched(sessions: Sessions, postgres: Postgres) -> None:
    async with Proxy(postgres.owner_url("kit")) as proxy:
        proxy.refuse()
        locks = IdempotencyLocks(sessions, LongKeys, SecretStr(proxy.url))
        with pytest.raises(Unavailable):
            await pay(locks, sessions)
        proxy.flow()
        async with asyncio.timeout(GRACE_SECONDS):
            assert await pay(locks, sessions) == "me"
        await locks.close()
