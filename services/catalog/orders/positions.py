"""Read the positions of the orders that match filters, newest or oldest first.

Each filter but `number`, words, ranges of amounts and `currency` has an index on its column, the time and the id. With such a filter
alone, only as many entries of its index are read as the page has orders, however rare or old the matches are. Of several filters, the first
of `OrderFilter.conditions` is read by its index, and its matches are checked against the others.

- `number` matches at most one order.
- Words and ranges of amounts: if there are few matches, they are sorted. Otherwise orders are read by time until the page is full.
- With only the filter `currency`, orders are also read by time until the page is full.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    Text,
    Uuid,
    any_,
    case,
    false,
    func,
    literal,
    select,
    true,
    tuple_,
    union_all,
)
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.ext.asyncio import AsyncSession

from kit.db.counting import count_up_to
from kit.db.sql_types import AnyColumn
from services.catalog.orders.filters import ITEMS, LOWER_EMAIL, ORDERS, OrderFilter

LOOKED_AT = 200
"""This number of orders is checked first, newest or oldest first. Usually they fill the page: then the matches, which can be 100,000 for a
common word, are not counted."""

SORTED_WITH_WORDS, SORTED_WITH_AMOUNTS = 2_000, 20_000
"""At most this many matches are sorted. Amounts are read from the index alone; words need the rows."""

Query = Select[datetime, UUID]


class OrderSort(StrEnum):
    NEWEST = "newest"
    OLDEST = "oldest"


class Position(NamedTuple):
    """The position of an order in the list."""

    created_at: datetime
    id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page of a list: up to `limit` orders, after a position if there is one."""

    sort: OrderSort
    limit: int
    after: Position | None = None


async def find_positions(session: AsyncSession, selected: OrderFilter, page: Page) -> list[Position]:
    """Return the positions of the orders on a page."""
    conditions = selected.conditions()
    first = next(iter(conditions), None)
    others = [condition for name, condition in conditions.items() if name != first]
    reader = _Reader(selected, page, others)
    if first == "words":
        return await reader.find_without_index(session, conditions[first], SORTED_WITH_WORDS)
    if first == "amount" and selected.min_amount != selected.max_amount:
        return await reader.find_without_index(session, conditions[first], SORTED_WITH_AMOUNTS)
    query = reader.by_index_of(first) if first is not None else None
    return await _positions(session, reader.by_time(*conditions.values()) if query is None else query)


async def _positions(session: AsyncSession, query: Query) -> list[Position]:
    return [Position(*row) for row in await session.execute(query)]


@dataclass(frozen=True, slots=True)
class _Reader:
    """Builds the statements that read a page by an index. `others`: the conditions of all filters but the one that has the index."""

    selected: OrderFilter
    page: Page
    others: Sequence[ColumnElement[bool]]

    def _within(self, created_at: ColumnElement[datetime], order_id: ColumnElement[UUID]) -> list[ColumnElement[bool]]:
        """Return the conditions on the time and the position."""
        found = []
        if self.selected.since is not None:
            found.append(created_at >= self.selected.since)
        if self.selected.until is not None:
            found.append(created_at < self.selected.until)
        if self.page.after is not None:
            position, last = tuple_(created_at, order_id), tuple_(*self.page.after)
            found.append(position < last if self.page.sort == OrderSort.NEWEST else position > last)
        return found

    def _order(self, *columns: AnyColumn) -> list[AnyColumn]:
        newest = self.page.sort == OrderSort.NEWEST
        return [column.desc() if newest else column for column in columns]

    def _cut(self, query: Query, *columns: AnyColumn) -> Query:
        return query.order_by(*self._order(*columns)).limit(self.page.limit)

    def by_time(self, *conditions: ColumnElement[bool]) -> Query:
        """Return the statement that reads the orders by time."""
        created_at, order_id = ORDERS.c.created_at, ORDERS.c.id
        query = select(created_at, order_id).where(*conditions, *self._within(created_at, order_id))
        return self._cut(query, created_at, order_id)

    def by_index_of(self, name: str) -> Query | None:
        """Return the statement that reads by the index of this filter, or None for `number` and `currency`, which have no such index."""
        selected = self.selected
        if name in {"owner", "customer"}:
            return self.by_index_on(ORDERS.c.customer_id, literal(selected.owner or selected.customer, Text))
        if name == "external_id":
            return self.by_index_on(ORDERS.c.customer_external_id, literal(selected.external_id, Text))
        if name == "email":
            return self.by_index_on(LOWER_EMAIL, func.lower(literal(selected.email, Text)))
        if name == "product":
            return self.by_index_of_product()
        if name == "amount":
            return self.by_index_on(ORDERS.c.amount, literal(selected.min_amount, BigInteger))
        return self.by_index_of_statuses() if name == "status" else None

    def by_index_on(self, column: AnyColumn, value: AnyColumn) -> Query:
        """Return the statement that reads the orders with this value by the index on the column, the time and the id.

        If the planner believes that the value is frequent, it may choose another index, and then reads the orders of all customers until it
        finds old ones with the value. The condition with ANY, and the ORDER BY that only this index can serve,
        prevent that.
        """
        created_at, order_id = ORDERS.c.created_at, ORDERS.c.id
        conditions = (column == any_(array([value])), *self._within(created_at, order_id), *self.others)
        return self._cut(select(created_at, order_id).where(*conditions), column, created_at, order_id)

    def by_index_of_product(self) -> Query:
        """Return the statement that reads the items of the product; one order can have several, of different variants."""
        product_id, created_at, order_id = ITEMS.c.product_id, ITEMS.c.created_at, ITEMS.c.order_id
        query = select(created_at, order_id)
        if self.others:
            query = query.join(ORDERS, ORDERS.c.id == order_id).where(*self.others)
        wanted = product_id == any_(array([literal(self.selected.product_id, Uuid)]))
        query = query.where(wanted, *self._within(created_at, order_id)).group_by(product_id, created_at, order_id)
        return self._cut(query, product_id, created_at, order_id)

    def by_index_of_statuses(self) -> Query:
        """Return the statement that reads up to `limit` orders of each status, and keeps the first `limit` of all of them."""
        each = [
            self.by_index_on(ORDERS.c.status, literal(status.value, Text)).subquery()
            for status in sorted(self.selected.statuses)
        ]
        found = union_all(*(select(one.c.created_at, one.c.id) for one in each)).subquery()
        return self._cut(select(found.c.created_at, found.c.id), found.c.created_at, found.c.id)

    async def find_without_index(
        self, session: AsyncSession, condition: ColumnElement[bool], most: int
    ) -> list[Position]:
        """Check the first LOOKED_AT orders by time. If they do not fill the page, sort the matches if there are at most `most`; if there
        are more, read all orders by time.

        The planner cannot estimate how many rows have a word. The condition is inside CASE where orders are read by time, so that the
        planner expects half of the rows to match and does not use the index of the words.
        """
        unindexed = case((condition, true()), else_=false())
        created_at, order_id = ORDERS.c.created_at, ORDERS.c.id
        looked_at = select(created_at, order_id).where(*self._within(created_at, order_id))
        looked_at = looked_at.order_by(*self._order(created_at, order_id)).limit(LOOKED_AT)
        first = await _positions(session, looked_at)
        if not first:
            return []
        position, last = tuple_(created_at, order_id), tuple_(*first[-1])
        among = position >= last if self.page.sort == OrderSort.NEWEST else position <= last
        found = await _positions(session, self.by_time(among, unindexed, *self.others))
        if len(found) >= self.page.limit or len(first) < LOOKED_AT:
            return found
        if await count_up_to(session, select(ORDERS.c.id).where(condition), most + 1) > most:
            return await _positions(session, self.by_time(unindexed, *self.others))
        matches = select(created_at, order_id).where(condition, *self._within(created_at, order_id), *self.others)
        few = matches.cte("few").prefix_with("MATERIALIZED")
        return await _positions(session, self._cut(select(few.c.created_at, few.c.id), few.c.created_at, few.c.id))
