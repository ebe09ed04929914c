"""Cursors: those that a list returned are decoded; everything else is refused."""

import base64
import json
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.pagination import InvalidCursor, decode_cursor, encode_cursor, split_page


@given(st.text(max_size=50).filter(lambda text: "\x00" not in text), st.integers(-(2**62), 2**62))
def test_decode_returns_what_encode_got(name: str, number: int) -> None:
    cursor = encode_cursor("name", name, number)
    assert cursor.isascii()
    assert decode_cursor(cursor, "name", str, int) == (name, number)


moments = st.datetimes(timezones=st.just(UTC))


@given(moments, st.uuids(), st.text(max_size=50).filter(lambda text: "\x00" not in text))
def test_decode_returns_times_and_uuids_unchanged(moment: datetime, number: UUID, name: str) -> None:
    cursor = encode_cursor("newest", moment, number, name)
    assert decode_cursor(cursor, "newest", datetime, UUID, str) == (moment, number, name)


@given(moments, moments)
def test_encoded_times_keep_their_order_and_microseconds(first: datetime, second: datetime) -> None:
    (one,) = decode_cursor(encode_cursor("newest", first), "newest", datetime)
    (other,) = decode_cursor(encode_cursor("newest", second), "newest", datetime)
    assert (one < other) == (first < second)
    assert one.utcoffset() == timedelta(0)


zones = st.builds(timezone, st.timedeltas(timedelta(hours=-14), timedelta(hours=14)))


@given(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=zones))  # noqa: DTZ001 -- the zone is drawn
def test_encoded_times_of_any_zone_are_the_same_moment(moment: datetime) -> None:
    assert decode_cursor(encode_cursor("newest", moment), "newest", datetime) == (moment.astimezone(UTC),)


@pytest.mark.parametrize("value", ["now", 1.5, True, None, 10**18, -(10**18), 10**400])
def test_an_invalid_cursor_for_a_time_is_refused(value: object) -> None:
    with pytest.raises(InvalidCursor):
        decode_cursor(forged(["newest", value]), "newest", datetime)


@pytest.mark.parametrize("value", ["", "x", "g" * 32, 5, None, ["0" * 32]])
def test_an_invalid_cursor_for_a_uuid_is_refused(value: object) -> None:
    with pytest.raises(InvalidCursor):
        decode_cursor(forged(["newest", value]), "newest", UUID)


@pytest.mark.parametrize(
    ("count", "page", "cursor"), [(0, [], None), (2, [0, 1], None), (3, [0, 1, 2], None), (4, [0, 1, 2], "after 2")]
)
def test_split_page_has_a_cursor_when_there_are_more_rows(count: int, page: list[int], cursor: str | None) -> None:
    assert split_page(list(range(count)), 3, lambda row: f"after {row}") == (page, cursor)


def forged(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "====",
        "é",
        "\x00",
        "a" * 1000,
        forged(None),
        forged({}),
        forged([]),
        forged(["id"]),
        forged(["id", 1, 2]),
        forged(["other", 1]),
        forged(["id", "1"]),
        forged(["id", True]),
        forged(["id", 1.0]),
        forged(["id", None]),
        forged(["id", [1]]),
        forged(["id", 2**63]),
        forged(["id", -(2**70)]),
        forged(["id", 10**400]),
        base64.urlsafe_b64encode(b'["id",' + b"9" * 5000 + b"]").decode(),
        base64.urlsafe_b64encode(b"[" * 50_000).decode(),
        base64.urlsafe_b64encode(b'["id",NaN]').decode(),
        base64.urlsafe_b64encode(b"\xff\xfe\xfd").decode(),
        encode_cursor("id", 1) + "!",
        encode_cursor("id", 1) + "\n",
    ],
)
def test_an_invalid_cursor_for_a_number_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        decode_cursor(cursor, "id", int)


@pytest.mark.parametrize("value", ["\x00", "a\x00b", "\ud800", 1, None])
def test_an_invalid_cursor_for_text_is_refused(value: object) -> None:
    with pytest.raises(InvalidCursor):
        decode_cursor(forged(["name", value]), "name", str)


@given(st.text(max_size=200))
def test_arbitrary_text_is_a_cursor_or_refused(cursor: str) -> None:
    try:
        keys = decode_cursor(cursor, "id", int)
    except InvalidCursor:
        keys = (0,)
    assert all(type(key) is int for key in keys)
