"""Webhooks at a real server: bodies that are too large, declared or not, and the keys of its environment."""

import asyncio
import gzip
import random
from collections.abc import AsyncIterator

import httpx
import pytest

from services.payments.webhooks.intake import MAX_BODY_BYTES, OTHER_PATHS
from tests.fixtures.apps import RunningApp
from tests.fixtures.payments_requests import WEBHOOK_PATH, post_webhook, sign
from tests.fixtures.payments_rows import webhook_events
from tests.fixtures.service_process import Api, serving
from tests.fixtures.tokens import Signer

OLD_KEY = "sk_test_" + "b" * 24
SOCKET_BUFFERS = 24 * 1024 * 1024


@pytest.fixture(scope="module")
async def api(started_payments: RunningApp) -> AsyncIterator[Api]:
    async with serving("payments", PAYSTACK_SECRET_KEY_PREVIOUS=OLD_KEY) as found:
        yield found


async def test_webhook_of_exactly_one_mebibyte_is_stored(api: Api) -> None:
    body = b'{"event":"x","data":"' + b"a" * (MAX_BODY_BYTES - 23) + b'"}'
    assert len(body) == MAX_BODY_BYTES
    assert (await post_webhook(api.client, body)).status_code == 200
    (stored,) = await webhook_events()
    assert stored.body == body


@pytest.mark.parametrize("path", OTHER_PATHS)
async def test_webhook_at_another_spelling_of_the_path_is_stored(api: Api, path: str) -> None:
    body = b'{"event":"x","data":"' + b"a" * (MAX_BODY_BYTES - 23) + b'"}'
    url = f"http://127.0.0.1:{api.port}{path}"
    answer = await api.client.post(url, content=body, headers={"x-paystack-signature": sign(body)})
    assert answer.status_code == 200
    assert len(await webhook_events()) == 1


async def test_webhook_of_one_byte_more_answers_413(api: Api) -> None:
    answer = await post_webhook(api.client, b"a" * (MAX_BODY_BYTES + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert answer.headers["content-type"] == "application/problem+json"
    assert await webhook_events() == []


SIZES = [MAX_BODY_BYTES + 1, 10_000_000, 300_000_000, 3_000_000_000]


@pytest.mark.parametrize("size", SIZES)
async def test_webhook_when_its_declared_size_is_too_large_is_refused_unread(api: Api, size: int) -> None:
    head = f"POST {WEBHOOK_PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    try:
        writer.write(head.encode())
        async with asyncio.timeout(1):
            answer = await reader.readline()
    finally:
        writer.close()
    assert answer.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("size", SIZES[:3])
async def test_webhook_when_it_is_chunked_and_too_large_is_read_up_to_the_limit(api: Api, size: int) -> None:
    before = api.memory()
    sent, answer = await stream(api, WEBHOOK_PATH, "", size)
    assert sent < MAX_BODY_BYTES + SOCKET_BUFFERS
    # When the connection is cut, the answer may be lost with the rest.
    assert answer.startswith(b"HTTP/1.1 413 ") or size > 2 * MAX_BODY_BYTES
    assert api.memory() - before < 20 * 1024 * 1024
    assert await webhook_events() == []


@pytest.mark.parametrize("what", ["gzip", "chunked", "form"])
async def test_signature_covers_the_bytes_on_the_wire(api: Api, what: str) -> None:
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
        answer = await api.client.post(WEBHOOK_PATH, content=content, headers={**headers, **signature})
        return answer.status_code

    if what == "gzip":
        assert await post(body) == 401
    assert await post(wire + b"\n") == 401
    assert await webhook_events() == []
    assert await post(wire) == 200
    (stored,) = await webhook_events()
    assert stored.body == wire


async def test_webhooks_when_a_bit_of_a_thousand_bodies_was_flipped_are_all_refused(api: Api) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    luck = random.Random(seed)

    async def forged() -> int:
        body = bytearray(luck.randbytes(luck.randrange(1, 2000)))
        signature = sign(bytes(body))
        body[luck.randrange(len(body))] ^= 1 << luck.randrange(8)
        return (await post_webhook(api.client, bytes(body), signature)).status_code

    for _ in range(20):
        assert set(await asyncio.gather(*(forged() for _ in range(50)))) == {401}
    assert await webhook_events() == []


each_path = pytest.mark.parametrize(
    ("path", "limit"), [(WEBHOOK_PATH, MAX_BODY_BYTES), ("/payments", 64 * 1024)], ids=["webhook", "json"]
)


async def stream(api: Api, path: str, token: str, size: int) -> tuple[int, bytes]:
    """Send a chunked body as fast as it is taken. Return how much was sent, and the answer."""
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


@each_path
async def test_chunked_body_when_it_is_too_large_answers_413(api: Api, signer: Signer, path: str, limit: int) -> None:
    _, answer = await stream(api, path, signer.headers()["Authorization"], limit + 16384)
    assert answer.startswith(b"HTTP/1.1 413 "), answer[:300]
    assert b"body_too_large" in answer


@each_path
async def test_chunked_body_when_it_is_endless_is_not_read(api: Api, signer: Signer, path: str, limit: int) -> None:
    before = api.memory()
    sent, _ = await stream(api, path, signer.headers()["Authorization"], 300 * 1024 * 1024)
    assert sent < limit + SOCKET_BUFFERS
    assert api.memory() - before < 50 * 1024 * 1024
    assert (await api.client.get("/livez")).status_code == 200
    assert await webhook_events() == []


async def test_webhook_when_the_sender_closes_the_connection_midway_is_not_stored(api: Api) -> None:
    for _ in range(20):
        _, writer = await asyncio.open_connection("127.0.0.1", api.port)
        writer.write(f"POST {WEBHOOK_PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf".encode())
        await writer.drain()
        writer.transport.abort()
    assert (await api.client.get("/livez")).status_code == 200
    assert await webhook_events() == []


async def test_webhook_when_the_key_is_being_rotated_is_accepted_under_both_keys(api: Api) -> None:
    body = b'{"event":"x"}'
    assert (await post_webhook(api.client, body, sign(body, OLD_KEY))).status_code == 200
    assert (await post_webhook(api.client, body)).status_code == 200
    assert (await post_webhook(api.client, body, sign(body, "sk_test_" + "c" * 24))).status_code == 401
    assert len(await webhook_events()) == 1


async def test_webhook_when_the_rotation_is_over_is_refused_under_the_old_key(api: Api) -> None:
    body = b'{"event":"x"}'
    assert (await post_webhook(api.client, body, sign(body, OLD_KEY))).status_code == 200
    async with serving("payments") as rotated:
        assert (await post_webhook(rotated.client, body, sign(body, OLD_KEY))).status_code == 401
        assert (await post_webhook(rotated.client, body)).status_code == 200


async def test_webhook_when_two_processes_receive_it_at_once_is_stored_once(
    api: Api, client: httpx.AsyncClient
) -> None:
    bodies = [f'{{"event":"x","data":{n % 10}}}'.encode() for n in range(60)]
    answers = await asyncio.gather(
        *(post_webhook(api.client, body) for body in bodies), *(post_webhook(client, body) for body in reversed(bodies))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert len(await webhook_events()) == 10


async def test_webhook_when_the_environment_has_no_key_answers_404() -> None:
    async with serving("payments", PAYSTACK_SECRET_KEY="") as api:
        answer = await post_webhook(api.client, b"{}", sign(b"{}", ""))
        assert (answer.status_code, answer.json()["code"]) == (404, "not_configured")
    assert await webhook_events() == []
