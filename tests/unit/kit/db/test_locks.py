"""The SQL of row locks."""

from sqlalchemy import Column, Integer, MetaData, Table, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.elements import ClauseElement

from kit.db.locks import for_key_share, for_no_key_update

ORDERS = Table("orders", MetaData(), Column("id", Integer, primary_key=True))
ITEMS = Table("items", MetaData(), Column("order_id", Integer))


def lock_of(query: ClauseElement) -> str:
    sql = str(query.compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]
    return sql[sql.index(" FOR ") + 1 :]


def test_for_no_key_update_locks_the_rows_for_a_change() -> None:
    assert lock_of(for_no_key_update(select(ORDERS))) == "FOR NO KEY UPDATE"


def test_for_no_key_update_when_of_one_table_and_without_waiting() -> None:
    joined = select(ORDERS).join(ITEMS, ITEMS.c.order_id == ORDERS.c.id)
    locked = for_no_key_update(joined, of=ORDERS, skip_locked=True)
    assert lock_of(locked) == "FOR NO KEY UPDATE OF orders SKIP LOCKED"


def test_for_key_share_only_keeps_the_rows() -> None:
    assert lock_of(for_key_share(select(ORDERS))) == "FOR KEY SHARE"
