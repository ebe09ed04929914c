"""Requests whose header is slow, too large or malformed, over real connections."""

import asyncio
import json

import pytest
from prometheus_client import REGISTRY

from kit.http.server_protocol import MAX_HEADER_BYTES
from tests.fixtures.http_server import GET, Client, Running


@pytest.mark.parametrize("start", [b"", GET], ids=["first request", "second request"])
@pytest.mark.parametrize("unfinished", [b"GET /livez HTTP/1.1\r\nHost", b"\r\n"], ids=["half a header", "empty lines"])
async def test_header_that_does_not_arrive_is_answered_with_408(
    strict: Running, start: bytes, unfinished: bytes
) -> None:
    client = await Client.connect(strict, start)
    if start:
        assert (await client.answer())[0] == 200
    client.writer.write(unfinished)
    status, headers, body = await client.answer()
    assert (status, json.loads(body)["code"]) == (408, "header_too_slow")
    assert headers["content-type"] == "application/problem+json"
    assert await client.rest() == b""


async def test_header_that_arrives_slowly_has_the_same_time_limit(strict: Running) -> None:
    client = await Client.connect(strict, b"GET /livez HTTP/1.1\r\n")

    async def drip() -> None:
        while True:
            client.writer.write(b"a: b\r\n")
            await asyncio.sleep(0.02)

    dripping = asyncio.create_task(drip())
    assert (await client.answer())[0] == 408
    dripping.cancel()


def header(size: int) -> bytes:
    return b"GET /livez HTTP/1.1\r\nHost: x\r\nA: " + b"a" * size + b"\r\n\r\n"


TOO_LARGE = {
    "one field": header(MAX_HEADER_BYTES),
    "an endless field": header(2 * MAX_HEADER_BYTES).rstrip(),
    "many fields": b"GET /livez HTTP/1.1\r\n" + b"a: b\r\n" * (MAX_HEADER_BYTES // 2) + b"\r\n",
    "path": b"GET /" + b"a" * MAX_HEADER_BYTES + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "megabyte": header(1024 * 1024),
}


@pytest.mark.parametrize("request_bytes", TOO_LARGE.values(), ids=TOO_LARGE)
async def test_header_that_is_too_large_is_answered_with_431(patient: Running, request_bytes: bytes) -> None:
    client = await Client.connect(patient, request_bytes)
    status, headers, body = await client.answer()
    assert (status, json.loads(body)["code"]) == (431, "header_too_large")
    assert headers["connection"] == "close"


async def test_header_of_the_size_that_the_gateway_allows_is_accepted(patient: Running) -> None:
    client = await Client.connect(patient, header(16 * 1024))
    assert (await client.answer())[0] == 200
    body = b'{"name":"' + b"n" * (MAX_HEADER_BYTES + 100) + b'","number":1}'
    head = f"POST /things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    client.writer.write(head.encode() + body)
    assert (await client.answer())[0] == 422, "a large body is not a large header"


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nno colon\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
    ],
)
async def test_malformed_request_is_answered_with_problem_json(patient: Running, request_bytes: bytes) -> None:
    before = REGISTRY.get_sample_value(
        "http_requests_total", {"method": "OTHER", "route": "unmatched", "status": "400"}
    )
    client = await Client.connect(patient, request_bytes)
    status, headers, body = await client.answer()
    problem = json.loads(body)
    assert (status, problem["status"], problem["code"]) == (400, 400, "bad_request")
    assert headers["content-type"] == "application/problem+json"
    assert headers["x-request-id"] == problem["request_id"]
    assert await client.rest() == b""
    after = REGISTRY.get_sample_value("http_requests_total", {"method": "OTHER", "route": "unmatched", "status": "400"})
    assert after == (before or 0) + 1


async def test_rest_of_a_body_after_an_early_response_is_not_taken_for_a_header(patient: Running) -> None:
    size = 2 * MAX_HEADER_BYTES
    preflight = f"OPTIONS /things HTTP/1.1\r\nHost: x\r\nOrigin: https://shop.test\r\nContent-Length: {size}\r\n"
    client = await Client.connect(patient, f"{preflight}Access-Control-Request-Method: POST\r\n\r\n".encode())
    assert (await client.answer())[0] == 200, "the middleware for CORS answers without reading the body"
    for part in (b"x" * (size - 100), b"x" * 100 + GET):
        client.writer.write(part)
        await client.writer.drain()
    assert (await client.answer())[0] == 200
