"""The line that is logged for each request."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any, Literal

import pytest
import structlog

from kit.observability.access_log import AccessLog
from kit.observability.logging import configure_logging
from tests.fixtures.metrics import metric

REQUEST_ID = "0af7651916cd43dd"
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"


def log_request(
    route: str,
    level: str = "INFO",
    style: Literal["json", "console"] = "json",
    seconds: float = 0.0123456,
    status: int = 200,
) -> None:
    configure_logging(level, style, "sample")
    AccessLog("sample", level, style).log("GET", route, status, seconds, REQUEST_ID, TRACE_ID)


def test_line_of_a_request_has_the_fields_and_the_format_of_the_other_lines(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log_request("/things/{id}")
    with structlog.contextvars.bound_contextvars(request_id=REQUEST_ID, trace_id=TRACE_ID):
        structlog.get_logger("sample").info("request", method="GET", route="/things/{id}", status=200, ms=12.35)
    ours, structlogs = capsys.readouterr().out.splitlines()
    first, second = json.loads(ours), json.loads(structlogs)
    for fields in (first, second):
        age = datetime.now(UTC) - datetime.fromisoformat(fields.pop("ts"))
        assert 0 <= age.total_seconds() < 60
    assert first == second
    assert first["route"] == "/things/{id}"


@pytest.mark.parametrize("route", ['/"quoted"', "/\\", "/é\n"])
def test_line_of_an_unusual_route_is_json(capsys: pytest.CaptureFixture[str], route: str) -> None:
    log_request(route)
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["route"] == route


@pytest.mark.parametrize("seconds", [0.0, 1e-9, 0.5, 12345.678])
def test_duration_is_in_milliseconds(capsys: pytest.CaptureFixture[str], seconds: float) -> None:
    log_request("/things", seconds=seconds)
    assert json.loads(capsys.readouterr().out)["ms"] == round(seconds * 1000, 2)


@pytest.mark.parametrize(
    ("route", "level", "style"),
    [
        ("/livez", "INFO", "json"),
        ("/metrics", "DEBUG", "console"),
        ("/things", "WARNING", "json"),
        ("/things", "ERROR", "console"),
    ],
)
def test_health_checks_are_not_logged_and_the_level_is_respected(
    capsys: pytest.CaptureFixture[str], route: str, level: str, style: Any
) -> None:
    log_request(route, level, style)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("style", ["json", "console"])
@pytest.mark.parametrize(
    ("level", "status", "logged_as"),
    [
        ("INFO", 200, None),
        ("INFO", 304, None),
        ("INFO", 503, "info"),
        ("DEBUG", 304, "debug"),
        ("DEBUG", 503, "info"),
        ("WARNING", 503, None),
    ],
)
def test_poll_of_the_revocation_list_is_logged_at_debug_unless_it_fails(
    capsys: pytest.CaptureFixture[str], style: Any, level: str, status: int, logged_as: str | None
) -> None:
    log_request("/auth/revocations", level, style, status=status)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == (logged_as is not None)
    assert all(str(logged_as) in line for line in lines)
    if lines and style == "json":
        assert json.loads(lines[0])["level"] == logged_as


def test_line_is_readable_when_the_format_is_console(capsys: pytest.CaptureFixture[str]) -> None:
    log_request("/things/{id}", style="console")
    output = capsys.readouterr().out
    assert "request" in output
    assert "route=/things/{id}" in output


def record_writes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list of the texts that will be written to stdout, one for each call of `write`."""
    texts: list[str] = []

    class Stdout:
        def write(self, text: str) -> None:
            texts.append(text)

        def flush(self) -> None:
            pass

    monkeypatch.setattr("sys.stdout", Stdout())
    configure_logging("INFO", "json", "sample")
    return texts


async def test_lines_of_one_turn_of_the_event_loop_are_written_together_and_in_sequence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = record_writes(monkeypatch)
    access_log = AccessLog("sample", "INFO", "json")
    log = structlog.get_logger("sample")
    for status in (200, 201):
        access_log.log("GET", "/things", status, 0.1, REQUEST_ID, TRACE_ID)
        log.info("another line")
    assert written == []
    await asyncio.sleep(0)  # the next turn
    lines = [json.loads(line) for text in written for line in text.splitlines()]
    assert len(written) == 1
    assert [line.get("status") for line in lines] == [200, None, 201, None]
    await asyncio.sleep(0)
    assert len(written) == 1, "nothing is written twice"


async def test_a_warning_is_written_at_once_after_the_lines_that_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    written = record_writes(monkeypatch)
    log = structlog.get_logger("sample")
    log.info("first")
    log.warning("second")
    assert [json.loads(line)["event"] for text in written for line in text.splitlines()] == ["first", "second"]
    log.info("third")
    await asyncio.sleep(0)
    assert [json.loads(line)["event"] for line in written[1:]] == ["third"]


async def test_the_number_of_waiting_lines_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    written = record_writes(monkeypatch)
    log = structlog.get_logger("sample")
    for number in range(2500):
        log.info("line", number=number)
    assert [len(text.splitlines()) for text in written] == [1000, 1000]
    await asyncio.sleep(0)
    numbers = [json.loads(line)["number"] for text in written for line in text.splitlines()]
    assert numbers == list(range(2500))


def test_lines_wait_for_the_running_event_loop_and_not_for_one_that_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    written = record_writes(monkeypatch)
    log = structlog.get_logger("sample")
    ended = asyncio.new_event_loop()

    async def write_and_end() -> None:
        log.info("first")
        ended.stop()
        await asyncio.Event().wait()

    task = ended.create_task(write_and_end())
    ended.run_forever()
    task.cancel()

    async def write() -> None:
        log.info("second")

    asyncio.run(write())
    ended.run_until_complete(asyncio.gather(task, return_exceptions=True))
    ended.close()
    assert [json.loads(line)["event"] for text in written for line in text.splitlines()] == ["first", "second"]


async def test_lines_that_cannot_be_written_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    class FullDisk:
        def write(self, text: str) -> None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("sys.stdout", FullDisk())
    before = metric("log_lines_lost_total")
    access_log = AccessLog("sample", "INFO", "json")
    for _ in range(2):
        access_log.log("GET", "/things", 200, 0.1, REQUEST_ID, TRACE_ID)
    await asyncio.sleep(0)
    assert metric("log_lines_lost_total") - before == 2
