"""Keys whose work takes several transactions: free as soon as nobody works on them, never with two who may answer."""

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
from kit.idempotency.long_running import GRACE_SECONDS, LongRunningRequests
from tests.kit.conftest import Sessions
from tests.kit.holder import Made, intent
from tests.kit.tables import LongKeys
from tests.proxy import Proxy


@pytest.fixture
async def claims(sessions: Sessions, postgres: Postgres) -> AsyncIterator[LongRunningRequests]:
    """Those of the process that asks second, or that asks alone."""
    found = LongRunningRequests(sessions, LongKeys, SecretStr(postgres.url("kit")))
    yield found
    await found.close()


async def pay(claims: LongRunningRequests, sessions: Sessions, key: str = "k-1", *, by: str = "me") -> str:
    """What a route does: claim, work, keep; each in a transaction of its own."""
    async with claims.lock(intent(key)) as claim:
        if claim.stored_response is not None:
            return str(claim.stored_response.body["by"])
        async with sessions.begin() as session:
            await claim.store_response(session, 201, Made(by=by))
        return by


async def is_in_use(claims: LongRunningRequests) -> bool:
    try:
        async with claims.lock(intent("k-1")):
            return False
    except IdempotencyKeyInUse:
        return True


class Holder:
    """A request that works, in another process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def says(self) -> str:
        assert self.process.stdout is not None
        async with asyncio.timeout(20):
            async for line in self.process.stdout:
                if line in {b"held\n", b"kept\n", b"in use\n"}:  # and not a line of its log
                    return line.decode().strip()
        return "nothing more"

    async def end(self) -> str:
        """Let it keep its answer; how that went."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        return await self.says()


@asynccontextmanager
async def holding(url: str) -> AsyncIterator[Holder]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.kit.holder", "k-1"),
        env={**os.environ, "KIT_URL": url},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    holder = Holder(process)
    try:
        assert await holder.says() == "held"
        yield holder
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_the_same_key_gets_the_same_answer(claims: LongRunningRequests, sessions: Sessions) -> None:
    assert await pay(claims, sessions, by="first") == "first"
    assert await pay(claims, sessions, by="second") == "first"
    async with claims.lock(intent("k-1")) as claim:
        assert claim.stored_response == StoredResponse(201, {"by": "first"})
    with pytest.raises(IdempotencyKeyReused):
        async with claims.lock(intent("k-1", item="saucer")):
            pass


async def test_without_a_key_nothing_is_kept(claims: LongRunningRequests, sessions: Sessions) -> None:
    async with claims.lock(None) as claim, sessions.begin() as session:
        assert claim.stored_response is None
        await claim.store_response(session, 201, Made(by="me"))
    async with sessions() as session:
        assert (await session.execute(select(LongKeys.key))).all() == []


async def test_work_that_fails_frees_the_key_at_once(claims: LongRunningRequests, sessions: Sessions) -> None:
    with pytest.raises(RuntimeError):
        async with claims.lock(intent("k-1")):
            raise RuntimeError
    async with asyncio.timeout(GRACE_SECONDS):
        assert await pay(claims, sessions) == "me"


async def test_a_failure_after_the_answer_was_kept_takes_nothing_back(
    claims: LongRunningRequests, sessions: Sessions
) -> None:
    """As where the commit went through and the connection broke before we heard."""

    async def cut_off() -> None:
        async with claims.lock(intent("k-1")) as claim:
            async with sessions.begin() as session:
                await claim.store_response(session, 201, Made(by="first"))
            raise ConnectionError

    with pytest.raises(ConnectionError):
        await cut_off()
    assert await pay(claims, sessions, by="second") == "first"


async def test_twenty_at_once_in_one_process_do_it_once(claims: LongRunningRequests, sessions: Sessions) -> None:
    results = await asyncio.gather(*(pay(claims, sessions, by=uuid4().hex) for _ in range(20)), return_exceptions=True)
    assert len({result for result in results if isinstance(result, str)}) == 1
    assert all(isinstance(result, str | IdempotencyKeyInUse) for result in results)


async def test_no_lock_is_left_behind(claims: LongRunningRequests, sessions: Sessions, engine: AsyncEngine) -> None:
    await asyncio.gather(*(pay(claims, sessions, f"k-{number}") for number in range(20)))
    async with engine.connect() as connection:
        held = "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory'"
        found = await connection.execute(text(f"{held} AND application_name = 'locks'"))
        assert found.scalar_one() == 0


async def test_a_killed_process_leaves_the_key_free(
    claims: LongRunningRequests, sessions: Sessions, postgres: Postgres
) -> None:
    async with holding(postgres.url("kit")) as holder:
        assert await is_in_use(claims)
        holder.process.kill()
        await holder.process.wait()
        results = await asyncio.gather(
            *(pay(claims, sessions, by=uuid4().hex) for _ in range(10)), return_exceptions=True
        )
    answered = {result for result in results if isinstance(result, str)}
    assert len(answered) == 1
    assert all(isinstance(result, str | IdempotencyKeyInUse) for result in results)


async def test_a_frozen_process_keeps_its_key(
    claims: LongRunningRequests, sessions: Sessions, postgres: Postgres
) -> None:
    async with holding(postgres.url("kit")) as holder:
        holder.process.send_signal(signal.SIGSTOP)
        for _ in range(10):
            assert await is_in_use(claims)
            await asyncio.sleep(GRACE_SECONDS / 5)
        holder.process.send_signal(signal.SIGCONT)
        assert await holder.end() == "kept"
    assert await pay(claims, sessions) == "holder"


async def test_a_process_whose_connection_is_cut_keeps_its_key(
    claims: LongRunningRequests, sessions: Sessions, postgres: Postgres
) -> None:
    async with Proxy(postgres.url("kit")) as proxy, holding(proxy.url) as holder:
        for _ in range(2):
            proxy.cut()
            assert await is_in_use(claims)
        assert await holder.end() == "kept"
    assert await pay(claims, sessions) == "holder"


async def test_who_was_taken_over_answers_nothing_and_releases_nothing(
    claims: LongRunningRequests, sessions: Sessions, postgres: Postgres
) -> None:
    async with Proxy(postgres.url("kit")) as proxy, holding(proxy.url) as holder:
        proxy.refuse()  # it lives, and cannot say so
        async with claims.lock(intent("k-1")) as ours:
            assert ours.stored_response is None
            proxy.flow()
            assert await holder.end() == "in use"
            assert await is_in_use(claims)
            async with sessions.begin() as session:
                await ours.store_response(session, 201, Made(by="me"))
    assert await pay(claims, sessions) == "me"


async def test_a_key_that_could_not_be_released_is_free(
    claims: LongRunningRequests, sessions: Sessions, postgres: Postgres
) -> None:
    """The database went away under the work, and came back; the process lived through it."""
    async with Proxy(postgres.url("kit")) as proxy:
        engine = create_engine(SecretStr(proxy.url), name="kit")
        other = LongRunningRequests(create_sessionmaker(engine), LongKeys, SecretStr(postgres.url("kit")))

        async def cut_off() -> None:
            async with other.lock(intent("k-1")):
                proxy.refuse()
                raise RuntimeError

        try:
            with pytest.raises(RuntimeError):
                await cut_off()
            assert await pay(claims, sessions) == "me"
        finally:
            await other.close()
            await engine.dispose()


async def test_a_claim_older_than_any_request_is_taken_over_once(
    claims: LongRunningRequests, sessions: Sessions, postgres: Postgres
) -> None:
    """Its machine is gone, and the server believes that it is connected."""
    async with holding(postgres.url("kit")) as holder:
        assert await is_in_use(claims)
        async with sessions.begin() as session:
            await session.execute(update(LongKeys).values(created_at=text("now() - interval '41 seconds'")))
        results = await asyncio.gather(*(pay(claims, sessions, by="me") for _ in range(10)), return_exceptions=True)
        assert "me" in results
        assert all(result == "me" or isinstance(result, IdempotencyKeyInUse) for result in results)
        assert await holder.end() == "in use"


async def test_a_claim_of_an_older_release_is_waited_for(claims: LongRunningRequests, sessions: Sessions) -> None:
    async with claims.lock(intent("k-1")):
        async with sessions.begin() as session:
            await session.execute(update(LongKeys).values(holder=None))
        assert await is_in_use(claims)
    async with sessions.begin() as session:
        await session.execute(update(LongKeys).values(created_at=text("now() - interval '41 seconds'")))
    assert await pay(claims, sessions) == "me"


async def test_without_a_connection_the_key_is_not_touched(sessions: Sessions, postgres: Postgres) -> None:
    async with Proxy(postgres.url("kit")) as proxy:
        proxy.refuse()
        claims = LongRunningRequests(sessions, LongKeys, SecretStr(proxy.url))
        with pytest.raises(Unavailable):
            await pay(claims, sessions)
        proxy.flow()
        async with asyncio.timeout(GRACE_SECONDS):
            assert await pay(claims, sessions) == "me"
        await claims.close()
