"""Log lines: their format, and what they must not contain."""

import asyncio
import contextlib
import json
import logging
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog

from kit.observability.logging import configure_logging, lines_lost
from tests.fixtures.sample_app import SECRET, TRACE, make_app


@pytest.mark.parametrize("style", ["json", "console"])
async def test_a_logged_traceback_shows_no_values(capsys: pytest.CaptureFixture[str], style: Any) -> None:
    app = make_app()
    configure_logging("INFO", style, "sample")
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://sample.test") as client:
        assert (await client.get("/boom")).status_code == 500
    output = capsys.readouterr().out
    assert "RuntimeError" in output
    assert "unhandled error" in output
    assert SECRET not in output


async def test_json_log_lines_carry_service_request_and_trace(capsys: pytest.CaptureFixture[str]) -> None:
    app = make_app(log_format="json")
    logging.getLogger("another.library").warning("a line of %s", "the library")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://sample.test") as client:
        await client.get("/fine", headers={"X-Request-ID": "abc", "traceparent": TRACE})
        await client.get("/livez")
    await asyncio.sleep(0)  # lines of requests are written at the end of a turn of the event loop
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {line["service"] for line in lines} == {"sample"}
    assert lines[0]["event"] == "a line of the library"
    (request,) = [line for line in lines if line["event"] == "request"]
    assert (request["request_id"], request["trace_id"], request["route"], request["status"]) == (
        "abc",
        TRACE[3:35],
        "/fine",
        200,
    )


def test_logging_does_not_raise_when_the_disk_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    configure_logging("INFO", "json", "sample")
    log = structlog.get_logger("sample")
    before = lines_lost._value.get()
    with contextlib.suppress(OSError), Path("/dev/full").open("w") as full:  # closing the file raises again
        monkeypatch.setattr("sys.stdout", full)
        log.warning("payment received", amount=50_000)
        log.info("payment settled")
        monkeypatch.undo()
    assert lines_lost._value.get() == before + 2
    log.info("space available again")
    assert lines_lost._value.get() == before + 2
