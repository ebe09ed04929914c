"""The limits of the server on connections, pipelined requests and unread responses, over real connections."""

import asyncio

import httpx
import pytest

from kit.http.server_protocol import MAX_PIPELINED
from tests.fixtures.http_server import CONNECTIONS, GET, LARGE, Client, Running, StrictProtocol, closed, until


async def test_idle_connections_do_not_keep_others_out(patient: Running) -> None:
    before = closed("too_many")
    idle = [await Client.connect(patient, GET) for _ in range(CONNECTIONS)]
    for client in idle:
        assert (await client.answer())[0] == 200
    for number in range(3):
        newcomer = await Client.connect(patient, GET)
        assert (await newcomer.answer())[0] == 200
        assert await idle[number].rest() == b"", "the one that was idle longest is closed"
    idle[-1].writer.write(GET)
    assert (await idle[-1].answer())[0] == 200
    assert closed("too_many") == before + 3


@pytest.mark.parametrize(
    "unfinished",
    [b"", b"GET /liv", b"\r\n\r\n", b"POST /things HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf"],
    ids=["nothing", "half a header", "empty lines", "half a body"],
)
async def test_incomplete_requests_do_not_keep_others_out(patient: Running, unfinished: bytes) -> None:
    slow = [await Client.connect(patient, unfinished) for _ in range(CONNECTIONS)]
    newcomer = await Client.connect(patient, GET)
    assert (await newcomer.answer())[0] == 200
    assert await slow[0].rest() == b""


async def test_requests_that_are_being_processed_are_not_interrupted(patient: Running) -> None:
    busy = [await Client.connect(patient, GET.replace(b"livez", b"wait")) for _ in range(CONNECTIONS)]
    await until(lambda: patient.started == CONNECTIONS)
    assert await (await Client.connect(patient, GET)).rest() == b""
    patient.release()
    for client in busy:
        assert (await client.answer())[0] == 200


async def test_connection_without_a_request_is_closed(strict: Running) -> None:
    assert await (await Client.connect(strict)).rest() == b""


async def test_connection_may_be_idle_between_two_requests(strict: Running) -> None:
    client = await Client.connect(strict, GET)
    assert (await client.answer())[0] == 200
    await asyncio.sleep(2 * StrictProtocol.header_seconds)
    client.writer.write(GET)
    assert (await client.answer())[0] == 200


async def test_some_pipelined_requests_are_answered_and_many_end_the_connection(patient: Running) -> None:
    client = await Client.connect(patient, GET * MAX_PIPELINED)
    for _ in range(MAX_PIPELINED):
        assert (await client.answer())[0] == 200
    before = closed("too_many_pipelined")
    answers = await (await Client.connect(patient, GET * 1000)).rest()
    assert answers.count(b"HTTP/1.1 200") <= MAX_PIPELINED
    assert closed("too_many_pipelined") == before + 1


@pytest.mark.parametrize("close", [b"", b"Connection: close\r\n"], ids=["keep-alive", "close"])
async def test_response_that_is_not_read_ends_the_connection(strict: Running, close: bytes) -> None:
    before = closed("response_not_read")
    client = await Client.connect(strict, b"GET /large HTTP/1.1\r\nHost: x\r\n" + close + b"\r\n")
    await until(lambda: closed("response_not_read") == before + 1)
    assert len(await client.rest()) < LARGE


async def test_response_that_is_read_slowly_is_complete(strict: Running) -> None:
    client = await Client.connect(strict, b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
    head = await client.reader.readuntil(b"\r\n\r\n")
    assert f"content-length: {LARGE}".encode() in head
    received = 0
    while part := await client.reader.read(1024 * 1024):
        received += len(part)
        if received == LARGE:
            break
        await asyncio.sleep(0.02)
    assert received == LARGE


async def test_ordinary_clients_reuse_their_connection(patient: Running) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{patient.port}", trust_env=False) as client:
        for _ in range(3):
            assert (await client.get("/livez")).status_code == 200
            assert (await client.post("/things", json={"name": "a", "number": 1})).status_code == 200
