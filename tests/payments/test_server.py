"""What only a real server shows: bodies that are too large, declared or not, and the keys of its environment."""

import asyncio
import gzip
import random
import time
from collections.abc import AsyncIterator

import httpx
import pytest

from services.payments.webhooks.intake import MAX_BODY_BYTES
from tests.conftest import Signer
from tests.payments.conftest import WEBHOOK, send, sign, stored
from tests.payments.process import Api, serving

OLD_KEY = "sk_test_" + "b" * 24


@pytest.fixture(scope="module")
async def api(prepared: None) -> AsyncIterator[Api]:
    async with serving(PAYSTACK_SECRET_KEY_PREVIOUS=OLD_KEY) as found:
        yield found


async def test_exactly_one_mebibyte_passes(api: Api) -> None:
    body = b'{"event":"x","data":"' + b"a" * (MAX_BODY_BYTES - 23) + b'"}'
    assert len(body) == MAX_BODY_BYTES
    assert (await send(api.client, body)).status_code == 200
    (notice,) = await stored()
    assert notice.body == body


async def test_one_byte_more_does_not(api: Api) -> None:
    answer = await send(api.client, b"a" * (MAX_BODY_BYTES + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert answer.headers["content-type"] == "application/problem+json"
    assert await stored() == []


SIZES = [MAX_BODY_BYTES + 1, 10_000_000, 300_000_000, 3_000_000_000]


@pytest.mark.parametrize("size", SIZES)
async def test_a_declared_body_is_refused_unread(api: Api, size: int) -> None:
    head = f"POST {WEBHOOK} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    try:
        writer.write(head.encode())
        async with asyncio.timeout(1):
            answer = await reader.readline()
    finally:
        writer.close()
    assert answer.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("size", SIZES[:3])
async def test_a_chunked_webhook_is_read_no_further_than_the_limit(api: Api, size: int) -> None:
    before = api.memory()
    began = time.monotonic()
    sent, answer = await stream(api, WEBHOOK, "", size)
    assert time.monotonic() - began < 2
    assert sent < MAX_BODY_BYTES + 24 * 1024 * 1024
    assert (
        answer.startswith(b"HTTP/1.1 413 ") or size > 2 * MAX_BODY_BYTES
    )  # cut off: then the answer may be lost with the rest
    assert api.memory() - before < 20 * 1024 * 1024
    assert await stored() == []


@pytest.mark.parametrize("what", ["gzip", "chunked", "form"])
async def test_the_bytes_on_the_wire_are_what_is_signed(api: Api, what: str) -> None:
    body = b'{"event":"x","data":{}}'
    wire = gzip.compress(body, mtime=0) if what == "gzip" else body
    headers = {
        "gzip": {"content-encoding": "gzip"},
        "chunked": {},
        "form": {"content-type": "application/x-www-form-urlencoded"},
    }[what]

    async def post(signed: bytes) -> int:
        async def parts() -> AsyncIterator[bytes]:
            for at in range(0, len(wire), 5):
                yield wire[at : at + 5]

        content = parts() if what == "chunked" else wire
        signature = {"x-paystack-signature": sign(signed)}
        return (await api.client.post(WEBHOOK, content=content, headers={**headers, **signature})).status_code

    if what == "gzip":
        assert await post(body) == 401
    assert await post(wire + b"\n") == 401
    assert await stored() == []
    assert await post(wire) == 200
    (notice,) = await stored()
    assert notice.body == wire


async def test_a_bit_more_or_less_in_a_thousand_bodies(api: Api) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    luck = random.Random(seed)

    async def forged() -> int:
        body = bytearray(luck.randbytes(luck.randrange(1, 2000)))
        signature = sign(bytes(body))
        body[luck.randrange(len(body))] ^= 1 << luck.randrange(8)
        return (await send(api.client, bytes(body), signature)).status_code

    for _ in range(20):
        assert set(await asyncio.gather(*(forged() for _ in range(50)))) == {401}
    assert await stored() == []


PATHS = pytest.mark.parametrize(
    ("path", "limit"), [(WEBHOOK, MAX_BODY_BYTES), ("/payments", 64 * 1024)], ids=["webhook", "json"]
)


async def stream(api: Api, path: str, token: str, size: int) -> tuple[int, bytes]:
    """Send a chunked body as fast as it is taken. How much was sent, and what came back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\nTransfer-Encoding: chunked\r\n"
    writer.write(f"{head}Content-Type: application/json\r\n\r\n".encode())
    chunk, sent = b"a" * 16384, 0
    try:
        async with asyncio.timeout(10):
            while sent < size:
                writer.write(b"4000\r\n" + chunk + b"\r\n")
                sent += len(chunk)
                await writer.drain()
            return sent, await reader.read()
    except ConnectionError:
        return sent, b""
    finally:
        writer.transport.abort()


@PATHS
async def test_a_chunked_body_that_is_too_large(api: Api, signer: Signer, path: str, limit: int) -> None:
    _, answer = await stream(api, path, signer.headers()["Authorization"], limit + 16384)
    assert answer.startswith(b"HTTP/1.1 413 "), answer[:300]
    assert b"body_too_large" in answer


@PATHS
async def test_an_endless_chunked_body_is_not_read(api: Api, signer: Signer, path: str, limit: int) -> None:
    before = api.memory()
    sent, _ = await stream(api, path, signer.headers()["Authorization"], 300 * 1024 * 1024)
    assert sent < limit + 24 * 1024 * 1024  # with what fits into the sockets' buffers
    assert api.memory() - before < 50 * 1024 * 1024
    assert (await api.client.get("/livez")).status_code == 200
    assert await stored() == []


async def test_a_sender_that_hangs_up_midway_leaves_nothing(api: Api) -> None:
    for _ in range(20):
        _, writer = await asyncio.open_connection("127.0.0.1", api.port)
        writer.write(f"POST {WEBHOOK} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf".encode())
        await writer.drain()
        writer.transport.abort()
    assert (await api.client.get("/livez")).status_code == 200
    assert await stored() == []


async def test_both_keys_of_a_rotation_count(api: Api) -> None:
    body = b'{"event":"x"}'
    assert (await send(api.client, body, sign(body, OLD_KEY))).status_code == 200
    assert (await send(api.client, body)).status_code == 200
    assert (await send(api.client, body, sign(body, "sk_test_" + "c" * 24))).status_code == 401
    assert len(await stored()) == 1


async def test_after_a_rotation_the_old_key_is_refused(api: Api) -> None:
    body = b'{"event":"x"}'
    assert (await send(api.client, body, sign(body, OLD_KEY))).status_code == 200
    async with serving() as rotated:
        assert (await send(rotated.client, body, sign(body, OLD_KEY))).status_code == 401
        assert (await send(rotated.client, body)).status_code == 200


async def test_two_processes_take_the_same_notice_at_once(api: Api, client: httpx.AsyncClient) -> None:
    bodies = [f'{{"event":"x","data":{n % 10}}}'.encode() for n in range(60)]
    answers = await asyncio.gather(
        *(send(api.client, body) for body in bodies), *(send(client, body) for body in reversed(bodies))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert len(await stored()) == 10


async def test_without_a_key_in_the_environment_there_is_no_webhook() -> None:
    async with serving(PAYSTACK_SECRET_KEY="") as api:
        answer = await send(api.client, b"{}", sign(b"{}", ""))
        assert (answer.status_code, answer.json()["code"]) == (404, "not_configured")
    assert await stored() == []
