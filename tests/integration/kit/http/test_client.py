"""Connections that the server resets at once, on the event loop of the services."""

import asyncio
import socket
import struct
import threading
from collections.abc import Iterator

import httpx
import pytest
import uvloop

from kit.http.client import HttpClient

RESET_WHEN_CLOSED = struct.pack("ii", 1, 0)
ROUNDS, CONNECTIONS = 50, 20


def reset_connections(listening: socket.socket) -> None:
    """Reset each connection as soon as it is accepted. Return when the socket is shut down."""
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        with connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_WHEN_CLOSED)


@pytest.fixture
def resetting_url() -> Iterator[str]:
    """The URL of a server that resets every connection."""
    with socket.create_server(("127.0.0.1", 0), backlog=CONNECTIONS) as listening:
        thread = threading.Thread(target=reset_connections, args=(listening,))
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def test_a_connection_that_is_reset_at_once_is_an_httpx_error(resetting_url: str) -> None:
    async def request_often() -> list[BaseException]:
        errors: list[BaseException] = []
        async with HttpClient(timeout=5, trust_env=False) as client:
            for _ in range(ROUNDS):
                calls = (client.get(resetting_url) for _ in range(CONNECTIONS))
                found = await asyncio.gather(*calls, return_exceptions=True)
                errors += [error for error in found if isinstance(error, BaseException)]
        return errors

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        errors = runner.run(request_often())
    assert len(errors) == ROUNDS * CONNECTIONS
    assert [error for error in errors if not isinstance(error, httpx.HTTPError)] == []
