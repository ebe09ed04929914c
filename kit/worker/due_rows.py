"""Take due rows with a lease: until the lease ends, no other worker takes the row."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.dml import ReturningUpdate


def take_due(
    *returning: InstrumentedAttribute[Any],
    key: InstrumentedAttribute[Any],
    due_at: InstrumentedAttribute[datetime | None] | InstrumentedAttribute[datetime],
    attempts: InstrumentedAttribute[int],
    lease: timedelta | ColumnElement[timedelta],
    leased_until: InstrumentedAttribute[datetime | None] | None = None,
    where: Sequence[ColumnElement[bool]] = (),
    due_by: ColumnElement[datetime] | datetime | None = None,
    limit: int = 1,
) -> ReturningUpdate[*tuple[Any, ...]]:
    """Build the statement that takes up to `limit` rows whose `due_at` has passed, the longest due first.

    Rows locked by another transaction are skipped. The statement adds 1 to `attempts`, and sets `leased_until` to the end of the lease, so
    the row of a worker that dies is due again when the lease ends. Without a column `leased_until`, it sets `due_at` instead. It returns
    the columns `returning` with their new values.

    `due_by`: take only rows that were due at this time already. Default: now.
    """
    model = key.class_
    not_leased = [] if leased_until is None else [leased_until.is_(None) | (leased_until < func.now())]
    due = (
        select(key.label("key"))
        .where(due_at <= (func.now() if due_by is None else due_by), *not_leased, *where)
        .order_by(due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        # A CTE runs once. A subquery of IN may run again for each row, and then its limit has no effect.
        .cte("due")
    )
    lease_column = due_at if leased_until is None else leased_until
    return (
        update(model)
        .where(key.in_(select(due.c.key)))
        .values({attempts: attempts + 1, lease_column: func.now() + lease})
        .returning(*returning)
    )
