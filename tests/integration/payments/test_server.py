"""The port of payments under many connections and slow requests."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from kit.http.server_protocol import MAX_CONNECTIONS
from kit.process import raise_open_file_limit
from tests.fixtures.apps import RunningApp
from tests.fixtures.payments_requests import post_webhook
from tests.fixtures.service_process import Api, serving

HALF = b'POST /payments HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"order_id":'


@pytest.fixture(scope="module")
async def api(started_payments: RunningApp) -> AsyncIterator[Api]:
    raise_open_file_limit()
    async with serving("payments") as found:
        yield found


@pytest.mark.parametrize("sent", [b"", HALF], ids=["nothing", "half a request"])
async def test_thousands_of_waiting_connections_keep_nobody_out(api: Api, sent: bytes) -> None:
    writers: list[asyncio.StreamWriter] = []

    async def connect() -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", api.port)
        writers.append(writer)
        writer.write(sent)

    try:
        while len(writers) < MAX_CONNECTIONS + 100:
            await asyncio.gather(*(connect() for _ in range(100)))
        assert (await api.client.get("/livez")).status_code == 200
        assert (await api.client.get("/payments")).status_code == 401
        assert (await post_webhook(api.client, b'{"event":"x"}')).status_code == 200
    finally:
        for writer in writers:
            writer.transport.abort()


async def test_malformed_request_is_answered_with_problem_json(api: Api) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(b"GET / HTTP/1.1\r\nno colon\r\n\r\n")
    async with asyncio.timeout(5):
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in head
    assert json.loads(body)["code"] == "bad_request"


@pytest.mark.parametrize(("proxies", "last"), [("192.0.2.1", 429), ("127.0.0.1", 404)], ids=["no proxy", "proxy"])
async def test_forwarded_address_is_believed_from_trusted_proxies_only(
    started_payments: RunningApp, proxies: str, last: int
) -> None:
    async with serving("payments", TRUSTED_PROXIES=proxies, RATE_LIMIT_PER_ADDRESS="3") as limited:
        statuses = [
            (await limited.client.get("/nowhere", headers={"X-Forwarded-For": f"198.51.100.{number}"})).status_code
            for number in range(4)
        ]
    assert statuses == [404, 404, 404, last]
