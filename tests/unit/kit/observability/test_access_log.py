"""The line that is logged for each request."""

import json
from datetime import UTC, datetime
from typing import Any, Literal

import pytest
import structlog

from kit.observability.access_log import AccessLog
from kit.observability.logging import configure_logging

REQUEST_ID = "0af7651916cd43dd"
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"


def log_request(
    route: str, level: str = "INFO", style: Literal["json", "console"] = "json", seconds: float = 0.0123456
) -> None:
    configure_logging(level, style, "sample")
    AccessLog("sample", level, style).log("GET", route, 200, seconds, REQUEST_ID, TRACE_ID)


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


def test_line_is_readable_when_the_format_is_console(capsys: pytest.CaptureFixture[str]) -> None:
    log_request("/things/{id}", style="console")
    output = capsys.readouterr().out
    assert "request" in output
    assert "route=/things/{id}" in output
