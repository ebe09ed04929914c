"""Query parameters of lists, parsed as Paystack parses them."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal, TypeVar

from starlette.datastructures import QueryParams

from sandbox.errors import InvalidParams

E = TypeVar("E", bound=StrEnum)

PER_PAGE = 50
PER_PAGE_LIMIT = 100
LAST_PAGE = 1_000_000_000
NUMERIC_ID = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Requested page of a list, counted from 1."""

    page: int
    per_page: int

    @property
    def skipped(self) -> int:
        return (self.page - 1) * self.per_page

    def meta(self, total: int, **more: Any) -> dict[str, Any]:
        """Return the `meta` of the response. `total`: number of all matching rows."""
        return {
            "total": total,
            **more,
            "skipped": self.skipped,
            "perPage": self.per_page,
            "page": self.page,
            "pageCount": -(-total // self.per_page),
        }


def parse_page(query: QueryParams) -> PageRequest:
    """Parse perPage (default 50, at most 100) and page."""
    return PageRequest(min(parse_integer(query, "page") or 1, LAST_PAGE), parse_per_page(query))


def parse_per_page(query: QueryParams) -> int:
    """Parse the page size, which is perPage in the documentation and per_page in the specification."""
    return min(parse_integer(query, "perPage") or parse_integer(query, "per_page") or PER_PAGE, PER_PAGE_LIMIT)


def parse_integer(query: QueryParams, name: str) -> int | None:
    value = query.get(name)
    if value is None or value == "":
        return None
    if not NUMERIC_ID.fullmatch(value):
        raise InvalidParams(f"{name} must be a whole number")
    return int(value)


def parse_numeric_id(query: QueryParams, name: str) -> int | None:
    """Parse a numeric id. An invalid id becomes -1, which matches no row: Paystack's test API returns an empty list too, not an error."""
    value = query.get(name)
    if value is None or value == "":
        return None
    return int(value) if NUMERIC_ID.fullmatch(value) else -1


def parse_choice(query: QueryParams, name: str, choices: type[E] | tuple[E, ...]) -> E | None:
    value = query.get(name) or None
    if value is None:
        return None
    for choice in choices:
        if choice == value:
            return choice
    raise InvalidParams(f"{name} must be one of {', '.join(choices)}")


def parse_time(query: QueryParams, name: Literal["from", "to"]) -> int | None:
    """Parse a date or time. Returns milliseconds since 1970."""
    value = query.get(name)
    if value is None or value == "":
        return None
    try:
        parsed = datetime.fromisoformat(value)
        parsed = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
        return int(parsed.timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise InvalidParams(f"{name} must be an ISO 8601 date or time") from error
