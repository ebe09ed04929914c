"""Times in command-line options."""

from datetime import UTC, datetime, timedelta

import pytest
import typer

from kit.cli.times import check_period, parse_time


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-11-23", datetime(2026, 11, 23, tzinfo=UTC)),
        ("2026-11-23T09:30", datetime(2026, 11, 23, 9, 30, tzinfo=UTC)),
        ("2026-11-23T09:30:00+01:00", datetime(2026, 11, 23, 8, 30, tzinfo=UTC)),
    ],
)
def test_a_time_without_an_offset_is_utc(text: str, time: datetime) -> None:
    assert parse_time(text) == time


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("90s", timedelta(seconds=90)),
        ("5m", timedelta(minutes=5)),
        ("2h", timedelta(hours=2)),
        ("3d", timedelta(days=3)),
    ],
)
def test_a_time_ago_counts_from_now(text: str, ago: timedelta) -> None:
    assert abs(datetime.now(UTC) - ago - parse_time(text)) < timedelta(seconds=5)


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2h ago", "-2h", "999999d", "1999-12-31", "2200-01-01", "9" * 7 + "s"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        parse_time(text)


def test_a_period_must_begin_before_it_ends() -> None:
    now = datetime.now(UTC)
    check_period(now - timedelta(hours=1), None)
    check_period(None, now)
    for since, until in ((now, now), (now, now - timedelta(hours=1)), (now + timedelta(hours=1), None)):
        with pytest.raises(typer.BadParameter):
            check_period(since, until)
