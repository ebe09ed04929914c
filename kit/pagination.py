"""Keyset pages: a cursor says after which row to go on, so that rows that come and go move nothing."""

import base64
import binascii
import json
from typing import Annotated

from fastapi import Query

from kit.errors import Problem

Limit = Annotated[int, Query(ge=1, le=100, description="Items a page")]
CursorParam = Annotated[str | None, Query(max_length=1000, description="`next_cursor` of the page before")]


class InvalidCursor(Problem):
    """The cursor is none that this list gave out; begin again without it."""

    status = 400


def encode(sort: str, *keys: str | int) -> str:
    """An opaque cursor: the sort it belongs to, and the keys of the last row given out."""
    return base64.urlsafe_b64encode(json.dumps([sort, *keys]).encode()).decode().rstrip("=")


def decode(cursor: str, sort: str, *kinds: type[str | int]) -> list[str | int]:
    """The keys in a cursor of this sort. Raises InvalidCursor on anything that `encode` did not make for it."""
    try:
        raw = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        found = json.loads(raw)
    except (ValueError, binascii.Error, RecursionError) as error:
        raise InvalidCursor from error
    if not isinstance(found, list) or len(found) != len(kinds) + 1 or found[0] != sort:
        raise InvalidCursor
    keys = found[1:]
    for key, kind in zip(keys, kinds, strict=True):
        if (
            type(key) is not kind
            or (isinstance(key, int) and abs(key) > 2**62)
            or (isinstance(key, str) and not _storable(key))
        ):
            raise InvalidCursor
    return keys


def _storable(key: str) -> bool:
    return "\x00" not in key and key.encode("utf-8", "replace").decode() == key
