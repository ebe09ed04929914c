"""The memory of auth under an attack on many user names, with many sessions."""

import asyncio
import hashlib
from concurrent.futures import Executor
from urllib.parse import urlsplit

import asyncpg
import psutil

from bench import auth, sessions
from bench.load import Target, run, send_requests
from bench.token_requests import PATH, Refresh, post
from dev.stack.stack import Stack

NAMES, SESSIONS = 10_000, 1_000
MAX_MEGABYTES = 20.0
"""The bar for the growth of the memory, in millions of bytes."""

CONNECTIONS = 8
"""The number of logins of one address that auth lets wait."""

SECONDS = 600.0
"""The time limit. The attack needs more than a minute of CPU time."""

ATTACKED = """
INSERT INTO failed_logins (key, failures, attempt_times, next_attempt_at, forget_at)
SELECT key, 20, '{}', now() + interval '1 hour', now() + interval '1 hour' FROM unnest($1::bytea[]) AS key
"""
"""User names whose pause has begun. 50,000 wrong passwords would do the same, in an hour and a half of hashing."""


async def growth(stack: Stack, executor: Executor) -> float:
    """Return how many megabytes more a new auth process uses after it has refused a login of each user name and refreshed each session.

    Raises NotGranted.
    """
    (account,) = await auth.register(stack, "memory@example.com")
    names = [f"attacked{n}@example.com" for n in range(NAMES)]
    database = await asyncpg.connect(stack.env["AUTH_DATABASE_URL"], timeout=5)
    await begin_pauses(database, names)
    senders = await sessions.begin(database, account, SESSIONS)
    await database.close(timeout=5)
    supervisor, url = stack.replica("auth")
    port = urlsplit(url).port
    assert port is not None
    await supervisor.start()
    try:
        assert supervisor.pid is not None
        process = psutil.Process(supervisor.pid)
        before = process.memory_info().rss
        work = asyncio.get_running_loop().run_in_executor
        await work(executor, attack, names, port)
        await work(executor, refresh_all, senders, port)
        return (process.memory_info().rss - before) / 1e6
    finally:
        await supervisor.stop()


async def begin_pauses(database: asyncpg.Connection, names: list[str]) -> None:
    """Let auth refuse logins with these user names for an hour."""
    await database.execute(ATTACKED, [hashlib.sha256(f"name {name}".encode()).digest() for name in names])


def attack(names: list[str], port: int) -> None:
    """Send a login for each user name in this process. Each must be refused."""
    requests = [post(grant_type="password", username=name, password="wrong") for name in names]  # noqa: S106
    found = run(send_requests(requests, Target(port, PATH, CONNECTIONS), SECONDS))
    if found.accepted or found.refused != len(names):
        raise auth.NotGranted(f"{found.refused} logins of {len(names)} attacked user names were refused")


def refresh_all(senders: list[Refresh], port: int) -> None:
    """Refresh each session once."""
    found = run(send_requests([sender.request() for sender in senders], Target(port, PATH), SECONDS))
    if found.accepted != len(senders):
        raise auth.NotGranted(f"{found.accepted} of {len(senders)} sessions were refreshed")
