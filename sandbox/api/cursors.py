"""Cursor pagination with `next` and `previous`, newest first."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.datastructures import QueryParams

from sandbox.errors import InvalidParams

T = TypeVar("T")
DECODED_CURSOR = re.compile(rb"id:([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class Cursor:
    """Position in a list: below an id, above an id, or at the newest row when both are None."""

    below: int | None
    above: int | None
    limit: int

    @property
    def sql_suffix(self) -> str:
        """End of an SQL query that already has a WHERE clause. It reads one extra row, which shows whether more follow."""
        order = "ASC" if self.above is not None else "DESC"
        return (
            " AND (:below IS NULL OR id < :below) AND (:above IS NULL OR id > :above)"
            f" ORDER BY id {order} LIMIT {self.limit + 1}"
        )

    @property
    def sql_values(self) -> dict[str, int | None]:
        return {"below": self.below, "above": self.above}


def parse_cursor(query: QueryParams, limit: int) -> Cursor:
    """Parse `next` or `previous`. Raises InvalidParams for an invalid cursor, and if both are sent."""
    below, above = _parse_id(query, "next"), _parse_id(query, "previous")
    if below is not None and above is not None:
        raise InvalidParams("Send either next or previous, not both")
    return Cursor(below, above, limit)


def cursor_page(cursor: Cursor, rows: Sequence[T], id_of: Callable[[T], int]) -> tuple[list[T], dict[str, Any]]:
    """Return the page, newest first and without the extra row, and the `meta` of the response."""
    more = len(rows) > cursor.limit
    page = list(rows[: cursor.limit])
    backwards = cursor.above is not None
    if backwards:
        page.reverse()
    has_older, has_newer = (True, more) if backwards else (more, cursor.below is not None)
    return page, {
        "next": _encode(id_of(page[-1])) if page and has_older else None,
        "previous": _encode(id_of(page[0])) if page and has_newer else None,
        "perPage": cursor.limit,
    }


def _encode(row_id: int) -> str:
    return urlsafe_b64encode(b"id:%d" % row_id).decode()


def _parse_id(query: QueryParams, name: str) -> int | None:
    value = query.get(name)
    if not value:
        return None
    try:
        decoded = DECODED_CURSOR.fullmatch(urlsafe_b64decode(value.encode()))
    except ValueError:
        decoded = None
    if decoded is None:
        raise InvalidParams(f"{name} is not a cursor of this list")
    return int(decoded[1])
