"""Lists that are turned over with `next` and `previous`, newest first."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.datastructures import QueryParams

from sandbox.errors import InvalidParams

T = TypeVar("T")
WRITTEN = re.compile(rb"id:([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where to go on: below an id, or above one; from the newest when neither is given."""

    below: int | None
    above: int | None
    limit: int

    @property
    def ending(self) -> str:
        """The end of an SQL query with a condition before it; one row more than asked tells whether there are more."""
        order = "ASC" if self.above is not None else "DESC"
        return (
            " AND (:below IS NULL OR id < :below) AND (:above IS NULL OR id > :above)"
            f" ORDER BY id {order} LIMIT {self.limit + 1}"
        )

    @property
    def values(self) -> dict[str, int | None]:
        return {"below": self.below, "above": self.above}


def cursor_of(query: QueryParams, limit: int) -> Cursor:
    """Errors: InvalidParams for what we did not write, and for next and previous at once."""
    below, above = _id(query, "next"), _id(query, "previous")
    if below is not None and above is not None:
        raise InvalidParams("next and previous exclude each other")
    return Cursor(below, above, limit)


def leaf(cursor: Cursor, rows: Sequence[T], id_of: Callable[[T], int]) -> tuple[list[T], dict[str, Any]]:
    """What the query found, newest first and without the one too many, and its meta."""
    more = len(rows) > cursor.limit
    kept = list(rows[: cursor.limit])
    back = cursor.above is not None
    if back:
        kept.reverse()
    older, newer = (True, more) if back else (more, cursor.below is not None)
    return kept, {
        "next": _written(id_of(kept[-1])) if kept and older else None,
        "previous": _written(id_of(kept[0])) if kept and newer else None,
        "perPage": cursor.limit,
    }


def _written(number: int) -> str:
    return urlsafe_b64encode(b"id:%d" % number).decode()


def _id(query: QueryParams, name: str) -> int | None:
    sent = query.get(name)
    if not sent:
        return None
    try:
        found = WRITTEN.fullmatch(urlsafe_b64decode(sent.encode()))
    except ValueError:
        found = None
    if found is None:
        raise InvalidParams(f"{name} is not a cursor of this list")
    return int(found[1])
