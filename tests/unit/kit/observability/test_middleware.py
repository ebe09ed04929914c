"""One id, one time, one log line for every request; every error is problem+json, and none shows a secret."""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
import structlog
from fastapi import FastAPI, Query
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import ClientDisconnect

from kit.app import create_app
from kit.errors import Problem
from kit.fields import Line
from kit.observability.logging import configure_logging, lines_lost
from kit.observability.metrics import requests_total
from kit.observability.tracing import traceparent
from kit.settings import Settings

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SECRET = "sk_test_never_to_be_seen"


class SoldOut(Problem):
    """There is none left."""

    status = 409


class Thing(BaseModel):
    name: Line
    number: int


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, object]]:
    yield {}


def make(**more: Any) -> FastAPI:
    settings = Settings(token_issuer="http://auth.test", log_format="console", **more)
    app = create_app("sample", settings, description="", checks={}, lifespan=lifespan)

    @app.get("/fine")
    async def fine() -> str | None:
        return traceparent()

    @app.get("/boom")
    async def boom() -> None:
        secret = SECRET
        raise RuntimeError("boom" if secret else "")

    @app.get("/sold-out")
    async def sold_out() -> None:
        raise SoldOut(left=0)

    @app.get("/gone")
    async def gone() -> None:
        raise ClientDisconnect

    @app.get("/away")
    async def away() -> None:
        raise ConnectionRefusedError

    @app.post("/things")
    async def things(thing: Thing, few: Annotated[int, Query(le=5)] = 1) -> Thing:
        return thing

    return app


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Logging is of the whole process: these tests set it anew."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    kept = structlog.get_config()
    yield
    root.handlers, _ = before
    root.setLevel(before[1])
    structlog.configure(**kept)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(make(cors_origins="https://shop.test"), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://sample.test") as found:
        yield found


@pytest.mark.parametrize("given", ["abc", "0af7651916cd43dd8448eb211c80319c", "A-1", "a" * 64])
async def test_a_sound_request_id_is_kept(client: httpx.AsyncClient, given: str) -> None:
    answer = await client.get("/fine", headers={"X-Request-ID": given})
    assert answer.headers["x-request-id"] == given


@pytest.mark.parametrize("given", [b"", b"a" * 65, b"a b", b"a\tb", b"<x>", "é".encode(), b"\xff", b'"'])
async def test_any_other_gets_a_new_one(client: httpx.AsyncClient, given: bytes) -> None:
    answer = await client.get("/fine", headers=[(b"x-request-id", given)])
    assert len(answer.headers["x-request-id"]) == 32
    assert answer.headers["x-request-id"].isalnum()


@pytest.mark.parametrize("path", ["/fine", "/boom", "/sold-out", "/nowhere", "/livez", "/metrics", "/things"])
async def test_every_answer_says_how_long_it_took(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert 0 < float(answer.headers["x-process-time"]) < 5
    assert answer.headers["x-request-id"]


async def test_a_trace_is_carried_on(client: httpx.AsyncClient) -> None:
    assert (await client.get("/fine", headers={"traceparent": TRACE})).json() == TRACE
    for odd in ("", "00-zz", TRACE.upper(), TRACE + "-x", "ff-" + TRACE[3:]):
        made = (await client.get("/fine", headers={"traceparent": odd})).json()
        assert made != odd
        assert len(made) == 55


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("DELETE", "/fine", 405, "method_not_allowed"),
        ("GET", "/boom", 500, "internal_error"),
        ("GET", "/sold-out", 409, "sold_out"),
        ("GET", "/away", 503, "unavailable"),
        ("POST", "/things", 422, "invalid_request"),
    ],
)
async def test_every_error_is_a_problem(
    client: httpx.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    answer = await client.request(method, path, headers={"X-Request-ID": "abc"})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["status"], body["code"], body["request_id"]) == (status, code, "abc")
    assert body["type"] == f"urn:problem-type:shop:{code}"
    assert body["title"]
    assert body["detail"]


async def test_a_problem_says_what_it_says(client: httpx.AsyncClient) -> None:
    body = (await client.get("/sold-out")).json()
    assert (body["detail"], body["left"]) == ("There is none left.", 0)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'{"name":5,"number":"x"}',
        b'{"name":"\\ud800","number":1}',
        b'{"name":"x","number":' + b"9" * 5000 + b"}",
        b'{"name":"x","number":1e999}',
        b'{"name":"x","number":NaN}',
        b"[" * 30_000,
        b"\xff\xfe",
    ],
)
async def test_no_body_is_a_500(client: httpx.AsyncClient, body: bytes) -> None:
    answer = await client.post("/things", content=body, headers={"content-type": "application/json"})
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


async def test_what_was_wrong_is_not_repeated(client: httpx.AsyncClient) -> None:
    answer = await client.post("/things", params={"few": 777}, json={"name": {"password": SECRET}, "number": SECRET})
    assert answer.status_code == 422
    assert SECRET not in answer.text
    assert "777" not in answer.text
    assert {error["in"] for error in answer.json()["errors"]} == {"body.name", "body.number", "query.few"}


@pytest.mark.parametrize("style", ["json", "console"])
async def test_a_traceback_shows_no_values(capsys: pytest.CaptureFixture[str], style: Any) -> None:
    app = make()
    configure_logging("INFO", style, "sample")
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://sample.test") as client:
        assert (await client.get("/boom")).status_code == 500
    said = capsys.readouterr().out
    assert "RuntimeError" in said
    assert "unhandled" in said
    assert SECRET not in said


async def test_json_lines_are_json(capsys: pytest.CaptureFixture[str]) -> None:
    app = make()
    configure_logging("INFO", "json", "sample")
    logging.getLogger("somebody.else").warning("a line of %s", "theirs")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://sample.test") as client:
        await client.get("/fine", headers={"X-Request-ID": "abc", "traceparent": TRACE})
        await client.get("/livez")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {line["service"] for line in lines} == {"sample"}
    assert lines[0]["event"] == "a line of theirs"
    (request,) = [line for line in lines if line["event"] == "request"]
    assert (request["request_id"], request["trace_id"], request["route"], request["status"]) == (
        "abc",
        TRACE[3:35],
        "/fine",
        200,
    )


def test_a_line_that_cannot_be_written_undoes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    configure_logging("INFO", "json", "sample")
    log = structlog.get_logger("sample")
    before = lines_lost._value.get()
    with contextlib.suppress(OSError), Path("/dev/full").open("w") as full:  # which closing it says once more
        monkeypatch.setattr("sys.stdout", full)
        log.warning("money came", amount=50_000)
        log.info("it is settled")
        monkeypatch.undo()
    assert lines_lost._value.get() == before + 2
    log.info("there is room again")
    assert lines_lost._value.get() == before + 2


async def test_who_hung_up_is_no_error(client: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]) -> None:
    counted = requests_total.labels("GET", "/gone", 499)
    before = counted._value.get()
    with pytest.raises(AssertionError):  # there is no answer: httpx's transport insists on one
        await client.get("/gone")
    assert counted._value.get() == before + 1
    assert "Traceback" not in capsys.readouterr().out


async def test_paths_of_strangers_do_not_fill_the_metrics(client: httpx.AsyncClient) -> None:
    for number in range(20):
        await client.get(f"/nowhere/{number}")
        await client.request(f"BREW{number}", "/fine")
    said = (await client.get("/metrics")).text
    assert "/nowhere/" not in said
    assert "BREW" not in said


async def test_two_requests_do_not_share_an_id(client: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(client.get("/boom", headers={"X-Request-ID": f"r-{n}"}) for n in range(50)))
    assert [answer.json()["request_id"] for answer in answers] == [f"r-{n}" for n in range(50)]


async def test_origins(client: httpx.AsyncClient) -> None:
    asked = {"Origin": "https://shop.test", "Access-Control-Request-Method": "POST"}
    answer = await client.options("/things", headers=asked)
    assert answer.headers["access-control-allow-origin"] == "https://shop.test"
    for path in ("/fine", "/boom", "/nowhere"):
        answer = await client.get(path, headers={"Origin": "https://shop.test"})
        if path != "/boom":
            assert answer.headers["access-control-allow-origin"] == "https://shop.test"
            assert "X-Request-ID" in answer.headers["access-control-expose-headers"]
        answer = await client.get(path, headers={"Origin": "https://evil.test"})
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("statement", "status", "code"),
    [
        ("SELECT pg_sleep(3)", 503, "unavailable"),
        ("SELECT pg_terminate_backend(pg_backend_pid())", 503, "unavailable"),
        ("SELECT 'x'::int", 422, "invalid_value"),
        ("SELECT 9223372036854775807 + 1", 422, "invalid_value"),
        ("SELECT * FROM nothing_of_this_name", 500, "internal_error"),
    ],
)
async def test_what_an_error_of_the_database_means(engine: AsyncEngine, statement: str, status: int, code: str) -> None:
    app = make()

    @app.get("/database")
    async def database() -> None:
        async with engine.connect() as connection:
            await connection.execute(text("SET statement_timeout = 100"))
            await connection.execute(text(statement))

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://sample.test") as client:
        answer = await client.get("/database")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert "SELECT" not in answer.text
