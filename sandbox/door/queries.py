"""What a caller asks of a list, read from the query string as Paystack reads it."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from starlette.datastructures import QueryParams

from sandbox.errors import InvalidParams

PER_PAGE = 50
PER_PAGE_LIMIT = 100
LAST_PAGE = 1_000_000_000
NUMERIC_ID = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Slice:
    """Which page of a list, counted from 1."""

    page: int
    per_page: int

    @property
    def skipped(self) -> int:
        return (self.page - 1) * self.per_page

    def meta(self, total: int, **more: Any) -> dict[str, Any]:
        return {
            "total": total,
            **more,
            "skipped": self.skipped,
            "perPage": self.per_page,
            "page": self.page,
            "pageCount": -(-total // self.per_page),
        }


def slice_of(query: QueryParams) -> Slice:
    """perPage (50, at most 100) and page."""
    return Slice(min(number(query, "page") or 1, LAST_PAGE), per_page(query))


def per_page(query: QueryParams) -> int:
    """perPage in the documentation, per_page in the specification."""
    return min(number(query, "perPage") or number(query, "per_page") or PER_PAGE, PER_PAGE_LIMIT)


def number(query: QueryParams, name: str) -> int | None:
    sent = query.get(name)
    if sent is None or sent == "":
        return None
    if not NUMERIC_ID.fullmatch(sent):
        raise InvalidParams(f"{name} must be a whole number")
    return int(sent)


def numeric_id(query: QueryParams, name: str) -> int | None:
    """A code or a reference in place of the numeric id finds nothing, and is no error: so on the test API."""
    sent = query.get(name)
    if sent is None or sent == "":
        return None
    return int(sent) if NUMERIC_ID.fullmatch(sent) else -1


def choice(query: QueryParams, name: str, choices: tuple[str, ...]) -> str | None:
    sent = query.get(name) or None
    if sent is not None and sent not in choices:
        raise InvalidParams(f"{name} must be one of {', '.join(choices)}")
    return sent


def instant(query: QueryParams, name: Literal["from", "to"]) -> int | None:
    """Milliseconds since 1970."""
    sent = query.get(name)
    if sent is None or sent == "":
        return None
    try:
        moment = datetime.fromisoformat(sent)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return int(moment.timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise InvalidParams(f"{name} must be an ISO 8601 date or time") from error
