"""Locks of rows, which last until the transaction ends."""

from typing import Any, TypeVar

from sqlalchemy.sql.selectable import GenerativeSelect

S = TypeVar("S", bound=GenerativeSelect)


def for_no_key_update(query: S, *, of: Any = None, skip_locked: bool = False) -> S:
    """Lock the rows for a change. Unlike FOR UPDATE, this lets others insert rows that refer to them.

    `of`: the table whose rows are locked, if the query reads several.
    """
    return query.with_for_update(key_share=True, of=of, skip_locked=skip_locked)


def for_key_share(query: S) -> S:
    """Keep the rows from being deleted. Others can still change them."""
    return query.with_for_update(read=True, key_share=True)
