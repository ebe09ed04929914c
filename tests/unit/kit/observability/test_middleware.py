"""Request ids, traces, process times and metrics of requests."""

import asyncio

import httpx
import pytest

from kit.observability.metrics import requests_total
from tests.fixtures.sample_app import TRACE


@pytest.mark.parametrize("given", ["abc", "0af7651916cd43dd8448eb211c80319c", "A-1", "a" * 64])
async def test_a_valid_request_id_is_returned(client: httpx.AsyncClient, given: str) -> None:
    response = await client.get("/fine", headers={"X-Request-ID": given})
    assert response.headers["x-request-id"] == given


@pytest.mark.parametrize("given", [b"", b"a" * 65, b"a b", b"a\tb", b"<x>", "é".encode(), b"\xff", b'"'])
async def test_an_invalid_request_id_is_replaced(client: httpx.AsyncClient, given: bytes) -> None:
    response = await client.get("/fine", headers=[(b"x-request-id", given)])
    assert len(response.headers["x-request-id"]) == 32
    assert response.headers["x-request-id"].isalnum()


@pytest.mark.parametrize("path", ["/fine", "/boom", "/sold-out", "/nowhere", "/livez", "/metrics", "/things"])
async def test_every_response_has_a_process_time_and_a_request_id(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path)
    assert 0 < float(response.headers["x-process-time"]) < 5
    assert response.headers["x-request-id"]


async def test_a_valid_trace_continues_and_an_invalid_one_is_replaced(client: httpx.AsyncClient) -> None:
    assert (await client.get("/fine", headers={"traceparent": TRACE})).json() == TRACE
    for odd in ("", "00-zz", TRACE.upper(), TRACE + "-x", "ff-" + TRACE[3:]):
        made = (await client.get("/fine", headers={"traceparent": odd})).json()
        assert made != odd
        assert len(made) == 55


async def test_a_client_that_disconnects_is_not_an_error(
    client: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    counted = requests_total.labels("GET", "/gone", 499)
    before = counted._value.get()
    with pytest.raises(AssertionError):  # there is no response, and httpx's transport insists on one
        await client.get("/gone")
    assert counted._value.get() == before + 1
    assert "Traceback" not in capsys.readouterr().out


async def test_unknown_paths_and_methods_are_not_metric_labels(client: httpx.AsyncClient) -> None:
    for number in range(20):
        await client.get(f"/nowhere/{number}")
        await client.request(f"BREW{number}", "/fine")
    output = (await client.get("/metrics")).text
    assert "/nowhere/" not in output
    assert "BREW" not in output


async def test_concurrent_requests_keep_their_own_ids(client: httpx.AsyncClient) -> None:
    responses = await asyncio.gather(*(client.get("/boom", headers={"X-Request-ID": f"r-{n}"}) for n in range(50)))
    assert [response.json()["request_id"] for response in responses] == [f"r-{n}" for n in range(50)]
