"""The limits of the server on connections, pipelined requests and unread responses, over real connections."""

import asyncio
from typing import ClassVar

import httpx
import pytest

from kit.http.server_protocol import MAX_PIPELINED, MAX_PIPELINED_BYTES, ServerProtocol
from kit.http.unread_responses import UnreadResponses
from tests.fixtures.http_server import (
    CONNECTIONS,
    GET,
    GET_LARGE,
    LARGE,
    Client,
    Running,
    StrictProtocol,
    closed,
    serving,
    until,
)


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


def get_with_header(size: int) -> bytes:
    return GET.rstrip() + b"\r\nA: " + b"a" * size + b"\r\n\r\n"


async def test_pipelined_requests_have_a_limit_of_size(patient: Running) -> None:
    before = closed("too_many_pipelined")
    body = b"x" * (MAX_PIPELINED_BYTES + 1)
    post = f"POST /things HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    for pipelined in (post + body, get_with_header(MAX_PIPELINED_BYTES + 1)):
        client = await Client.connect(patient, GET.replace(b"livez", b"wait") + pipelined)
        assert await client.rest() == b""
    assert closed("too_many_pipelined") == before + 2


async def test_size_of_pipelined_requests_that_were_processed_does_not_count(patient: Running) -> None:
    client = await Client.connect(patient)
    for _ in range(10):
        client.writer.write(2 * get_with_header(MAX_PIPELINED_BYTES // 3))
        for _ in range(2):
            assert (await client.answer())[0] == 200


@pytest.mark.parametrize("pipelined", [True, False], ids=["at once", "later"])
async def test_request_after_a_response_that_is_not_read_waits(patient: Running, pipelined: bool) -> None:
    client = await Client.connect(patient, GET_LARGE * (3 if pipelined else 1))
    await until(lambda: patient.larges == 1)
    if not pipelined:
        client.writer.write(GET_LARGE * 2)
    other = await Client.connect(patient, GET)
    assert (await other.answer())[0] == 200
    assert patient.larges == 1
    for number in (1, 2, 3):
        assert patient.larges <= number
        assert len((await client.answer())[2]) == LARGE
    assert patient.larges == 3


async def test_clients_that_read_nothing_share_a_limited_memory() -> None:
    """The kernel and the client hold a few megabytes of a response. One response is less than the limit, and two are more."""

    class SmallMemory(ServerProtocol):
        waiting: ClassVar[dict[ServerProtocol, None]] = {}
        unread: ClassVar[UnreadResponses] = UnreadResponses(max_bytes=LARGE + 1024 * 1024)

    before = closed("too_much_unread")
    async with serving(SmallMemory) as running:
        clients = []
        for number in range(4):
            clients.append(await Client.connect(running, GET_LARGE))
            await until(lambda number=number: running.larges == number + 1)  # type: ignore[misc]
        await until(lambda: closed("too_much_unread") == before + 3)
        assert SmallMemory.unread.total <= SmallMemory.unread.max_bytes
        assert (await (await Client.connect(running, GET)).answer())[0] == 200
        for client in clients[:3]:
            assert len(await client.rest()) < LARGE, "the clients that have not read for the longest time"
        assert len((await clients[3].answer())[2]) == LARGE
        clients[3].writer.write(GET)
        assert (await clients[3].answer())[0] == 200
        assert SmallMemory.unread.total == 0


async def test_response_that_is_read_slowly_is_complete(strict: Running) -> None:
    client = await Client.connect(strict, GET_LARGE)
    head = await client.reader.readuntil(b"\r\n\r\n")
    assert f"content-length: {LARGE}".encode() in head
    for _ in range(30):  # 30 pauses: together longer than the server waits for a client that reads nothing
        await client.reader.readexactly(LARGE // 30)  # raises an error if the response ends early
        await asyncio.sleep(0.02)


async def test_ordinary_clients_reuse_their_connection(patient: Running) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{patient.port}", trust_env=False) as client:
        for _ in range(3):
            assert (await client.get("/livez")).status_code == 200
            assert (await client.post("/things", json={"name": "a", "number": 1})).status_code == 200
