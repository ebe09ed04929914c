"""Logins compared with bcrypt alone, and refreshes compared with the same work in an app without a framework."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import asyncpg
import bcrypt
import httpx

from bench import sessions
from bench.load import Round, Target
from bench.processes import running
from bench.routes import ACCOUNT_CONNECTIONS, MeasuredRoute
from bench.token_requests import Login, Sender, send
from dev.process import ports
from dev.stack.stack import Stack
from services.auth.accounts.hash_threads import default_threads, lower_priority

LOGIN_SECONDS = 5.0
"""A round of logins is not shorter: a login takes about a quarter of a second."""

CONNECTIONS_PER_THREAD = 3
"""One login is hashed while the next two wait."""

MAX_LOGIN_CONNECTIONS = 8
"""The number of logins of one address that auth lets wait."""

REFRESH_CONNECTIONS = 64
BCRYPT_ROUNDS = 12
"""The default of AUTH_BCRYPT_ROUNDS."""

PASSWORD = "a gate of nine hinges"  # noqa: S105 -- of accounts that exist during the benchmark only


class NotGranted(Exception):
    """A token request was not answered with 200."""


@dataclass(slots=True)
class MeasuredWork:
    """Work that is measured: `work` does it for the given number of seconds."""

    name: str
    work: Callable[[float], Awaitable[Round]]
    rounds: list[Round] = field(default_factory=list)


async def measure_in_turns(works: list[MeasuredWork], rounds: int, seconds: float) -> None:
    """Measure in turns, so that other load on this machine affects all of them. Raises NotGranted."""
    for number in range(rounds + 1):
        for work in works:
            found = await work.work(seconds if number else 1.0)
            if found.refused:
                raise NotGranted(f"{work.name}: {found.refused} of {found.refused + found.accepted} failed")
            if number:  # the first round warms up
                work.rounds.append(found)


async def register(stack: Stack, *emails: str) -> list[str]:
    """Register accounts with PASSWORD, and return their ids."""
    async with httpx.AsyncClient(base_url=stack.env["AUTH_URL"], trust_env=False, timeout=30) as client:
        answers = [await client.post("/auth/users", json={"email": email, "password": PASSWORD}) for email in emails]
    return [str(answer.raise_for_status().json()["id"]) for answer in answers]


async def account_route(stack: Stack) -> MeasuredRoute:
    """Return GET /auth/me with the access token of an account."""
    await register(stack, "me@example.com")
    form = {"grant_type": "password", "username": "me@example.com", "password": PASSWORD}
    async with httpx.AsyncClient(base_url=stack.env["AUTH_URL"], trust_env=False, timeout=30) as client:
        answer = (await client.post("/auth/token", data=form)).raise_for_status()
    return MeasuredRoute(
        "GET /auth/me", Target(port_of(stack), "/auth/me", ACCOUNT_CONNECTIONS), answer.json()["access_token"]
    )


async def logins(stack: Stack, executor: Executor) -> list[MeasuredWork]:
    """Return the logins of auth, and bcrypt alone with as many threads.

    Successful logins have no limit, except 10 at the same time for one user name, so each connection has its own account.
    """
    threads = default_threads(web_concurrency=1)
    emails = [f"login{n}@example.com" for n in range(min(MAX_LOGIN_CONNECTIONS, threads * CONNECTIONS_PER_THREAD))]
    await register(stack, *emails)
    senders = [Login.with_password(email, PASSWORD) for email in emails]
    loop = asyncio.get_running_loop()

    async def alone(seconds: float) -> Round:
        return await loop.run_in_executor(executor, hash_alone, threads, seconds)

    return [
        MeasuredWork("logins", _sending(senders, port_of(stack), executor)),
        MeasuredWork("bcrypt alone", alone),
    ]


def hash_alone(threads: int, seconds: float) -> Round:
    """Verify a password again and again in `threads` threads of this process, which have the priority of auth's hashing threads."""
    stored = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(BCRYPT_ROUNDS))
    began = time.perf_counter()
    found = Round(started=time.time())

    def verify() -> None:
        while (started := time.perf_counter()) - began < seconds:
            correct = bcrypt.checkpw(PASSWORD.encode(), stored)
            found.count(200 if correct else 401, time.perf_counter() - started)

    with ThreadPoolExecutor(threads, initializer=lower_priority) as pool:
        for future in [pool.submit(verify) for _ in range(threads)]:
            future.result()
    found.seconds = time.perf_counter() - began
    return found


@asynccontextmanager
async def refreshes(stack: Stack, executor: Executor) -> AsyncIterator[list[MeasuredWork]]:
    """Yield the refreshes of auth, and those of an app that runs the same statements: with and without signing an access token.

    Each of them has its own sessions, in the same tables.
    """
    (account,) = await register(stack, "refresh@example.com")
    url = stack.env["AUTH_DATABASE_URL"]
    database = await asyncpg.connect(url, timeout=5)
    own, *others = [await sessions.begin(database, account, REFRESH_CONNECTIONS) for _ in range(3)]
    await database.close(timeout=5)
    used = ports.reserve_free(2)
    works = [MeasuredWork("refresh", _sending(own, port_of(stack), executor))]
    names = {"1": "same statements and signature on asyncpg", "0": "same statements on asyncpg, no access token"}
    async with AsyncExitStack() as closing:
        closing.callback(ports.release, used)
        for (signs, name), senders, port in zip(names.items(), others, used, strict=True):
            environment = {"BENCH_DATABASE_URL": url, "BENCH_PORT": str(port), "BENCH_SIGNS": signs}
            await closing.enter_async_context(
                running(name, [sys.executable, "-m", "bench.refresh_app"], environment, port)
            )
            works.append(MeasuredWork(name, _sending(senders, port, executor)))
        yield works


def _sending(senders: Sequence[Sender], port: int, executor: Executor) -> Callable[[float], Awaitable[Round]]:
    latest: list[Sender] = [*senders]

    async def work(seconds: float) -> Round:
        sent = await asyncio.get_running_loop().run_in_executor(executor, send, latest, port, seconds)
        latest[:] = sent.senders
        return sent.round

    return work


def port_of(stack: Stack) -> int:
    """Return the port of the stack's auth."""
    port = urlsplit(stack.env["AUTH_URL"]).port
    assert port is not None
    return port
