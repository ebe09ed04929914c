"""Whether an address answers as it should."""

import ssl

import asyncpg
import httpx

from dev.process.supervisor import NotReady, NotStarted

PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For clients that speak to our own parts, over HTTP: by itself httpx reads all certificates of the machine for each client, and that takes
longer than a hundred questions. A supervisor that did so for every part that is coming up would keep them all waiting."""


async def answers(url: str) -> None:
    """Raises NotReady, with what the service says, until `url` answers 200."""
    try:
        async with httpx.AsyncClient(timeout=5, trust_env=False, verify=PLAIN) as client:
            response = await client.get(url)
    except httpx.HTTPError as error:
        raise NotReady(f"{url}: {error or type(error).__name__}") from error
    if response.status_code != 200:
        raise NotReady(f"{url} answers {response.status_code}: {response.text[:500]}")


async def check_database(name: str, url: str) -> None:
    """Says so early when a database that was given does not let us in."""
    try:
        connection = await asyncpg.connect(url, timeout=10)
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise NotStarted(
            f"{name} is given, but that database does not let us in: {error or type(error).__name__}"
        ) from error
    await connection.close(timeout=5)
