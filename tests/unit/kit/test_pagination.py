"""Cursors: those that a list returned are decoded; everything else is refused."""

import base64
import itertools
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, get_args
from uuid import UUID

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from kit.fields import Line
from kit.pagination import CursorEncryption, CursorParam, InvalidCursor, decode_cursor, encode_cursor, split_page


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


@pytest.mark.parametrize("value", ["now", True, 10**18, -(10**18), 10**400])
def test_an_invalid_cursor_for_a_time_is_refused(value: Any) -> None:
    with pytest.raises(InvalidCursor):
        decode_cursor(encode_cursor("newest", value), "newest", datetime)


@pytest.mark.parametrize("value", ["", "x", "g" * 32, 5])
def test_an_invalid_cursor_for_a_uuid_is_refused(value: Any) -> None:
    with pytest.raises(InvalidCursor):
        decode_cursor(encode_cursor("newest", value), "newest", UUID)


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
        forged([]),
        forged([1]),
        forged(["id", 1]),
        base64.urlsafe_b64encode(b"[" * 50_000).decode(),
        base64.urlsafe_b64encode(b"\xff\xfe\xfd").decode(),
        encode_cursor("id"),
        encode_cursor("id", 1, 2),
        encode_cursor("other", 1),
        encode_cursor("id", "1"),
        encode_cursor("id", True),
        encode_cursor("id", 2**63),
        encode_cursor("id", -(2**70)),
        encode_cursor("id", 10**400),
        encode_cursor("id", 1) + "!",
        encode_cursor("id", 1) + "\n",
    ],
    ids=map(str, itertools.count()),  # the cursors differ in each process, and so would the names of the tests
)
def test_an_invalid_cursor_for_a_number_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        decode_cursor(cursor, "id", int)


@pytest.mark.parametrize("value", ["\x00", "a\x00b", 1])
def test_an_invalid_cursor_for_text_is_refused(value: Any) -> None:
    with pytest.raises(InvalidCursor):
        decode_cursor(encode_cursor("name", value), "name", str)


@given(st.text(max_size=200).filter(lambda text: "\x00" not in text), st.uuids())
def test_the_cursor_of_every_name_is_short_enough_for_a_request(name: str, number: UUID) -> None:
    (limit,) = [each.max_length for each in get_args(CursorParam)[1].metadata if hasattr(each, "max_length")]
    assert len(encode_cursor("name", name, number)) <= limit
    assert len(encode_cursor("name", "\U0001f600" * 200, number)) <= limit


@given(st.integers(0, 2**40))
def test_a_cursor_does_not_reveal_the_number_of_a_row(number: int) -> None:
    cursor = encode_cursor("id", number)
    raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    assert len(raw) == 16 + len(json.dumps([number]))
    assert json.dumps(number).encode() not in raw or number < 1000
    following = encode_cursor("id", number + 1)
    shared = sum(one == other for one, other in zip(cursor, following, strict=False))
    assert shared < len(cursor) - 5, "cursors of neighbours look alike"


def test_cursors_of_processes_with_the_same_secret_are_interchangeable() -> None:
    one, same, other = CursorEncryption(), CursorEncryption(), CursorEncryption()
    for process, secret in ((one, "a"), (same, "a"), (other, "b")):
        process.use_secret(secret)
    encrypted = one.encrypt("list", b"[1]")
    assert same.decrypt("list", encrypted) == b"[1]"
    with pytest.raises(InvalidTag):
        same.decrypt("another list", encrypted)
    with pytest.raises(InvalidTag):
        other.decrypt("list", encrypted)


@given(st.text(max_size=200))
def test_arbitrary_text_is_a_cursor_or_refused(cursor: str) -> None:
    try:
        keys = decode_cursor(cursor, "id", int)
    except InvalidCursor:
        keys = (0,)
    assert all(type(key) is int for key in keys)


SCRIPTS = {
    "Latin": (0x41, 0x24F),
    "Greek": (0x370, 0x3FF),
    "Cyrillic": (0x400, 0x4FF),
    "Hebrew": (0x5D0, 0x5EA),
    "Arabic": (0x600, 0x6FF),
    "Devanagari": (0x900, 0x97F),
    "Ethiopic": (0x1200, 0x137F),
    "Han": (0x4E00, 0x9FFF),
    "Hangul": (0xAC00, 0xD7A3),
    "Adlam": (0x1E900, 0x1E95F),
    "Emoji": (0x1F300, 0x1FAFF),
    "quotes and backslashes": (0x20, 0x5C),
}
LINE: TypeAdapter[str] = TypeAdapter(Line)
CURSOR: TypeAdapter[str | None] = TypeAdapter(CursorParam)


def legal_line(text: str) -> bool:
    try:
        LINE.validate_python(text)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("script", SCRIPTS)
@given(st.data(), st.integers(-(2**62), 2**62))
def test_every_legal_name_fits_into_a_cursor(script: str, data: st.DataObject, number: int) -> None:
    first, last = SCRIPTS[script]
    letters = st.characters(min_codepoint=first, max_codepoint=last)
    name = LINE.validate_python(data.draw(st.text(letters, min_size=1, max_size=200).filter(legal_line)))
    cursor = encode_cursor("name", name, number)
    assert CURSOR.validate_python(cursor) == cursor
    assert decode_cursor(cursor, "name", str, int) == (name, number)


@pytest.mark.parametrize("character", ["\U0001f4a5", "\uac00", '"', "\\"])
def test_the_longest_names_fit_into_a_cursor(character: str) -> None:
    name = LINE.validate_python(character * 200)
    cursor = encode_cursor("name", name, 2**62)
    assert CURSOR.validate_python(cursor) == cursor
    assert decode_cursor(cursor, "name", str, int) == (name, 2**62)
