"""Check that a service, a database or a broker can be used."""

import asyncio
import ssl

import aiormq
import asyncpg
import httpx

from dev.process.program import NotReady, NotStarted

NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For clients that use plain HTTP on loopback. By default, httpx loads the machine's certificates for every client. This takes longer
than a hundred requests, and blocks the event loop of the supervisor."""


async def check_http(url: str) -> None:
    """Raise NotReady, with the answer of the service, unless `url` answers 200."""
    try:
        async with httpx.AsyncClient(timeout=5, trust_env=False, verify=NO_CERTIFICATES) as client:
            response = await client.get(url)
    except httpx.HTTPError as error:
        raise NotReady(f"{url}: {error or type(error).__name__}") from error
    if response.status_code != 200:
        raise NotReady(f"{url} answered {response.status_code}: {response.text[:500]}")


async def check_database(name: str, url: str) -> None:
    """Raise NotStarted if the database in the environment variable `name` refuses the connection."""
    try:
        connection = await asyncpg.connect(url, timeout=10)
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        reason = str(error) or type(error).__name__
        raise NotStarted(f"{name} is set, but connecting to that database failed: {reason}") from error
    await connection.close(timeout=5)


async def check_broker(name: str, url: str) -> None:
    """Raise NotStarted if the broker in the environment variable `name` refuses the connection."""
    try:
        connection = await asyncio.wait_for(aiormq.connect(url), timeout=10)
    except (OSError, TimeoutError, ValueError, aiormq.AMQPError) as error:
        reason = str(error) or type(error).__name__
        raise NotStarted(f"{name} is set, but connecting to that broker failed: {reason}") from error
    await connection.close()
