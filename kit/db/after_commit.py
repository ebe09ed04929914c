"""Call a function after a commit: a log line or a counter must not report what was rolled back, or report it again for the next attempt."""

from collections.abc import Callable
from contextvars import Context, copy_context
from functools import partial
from typing import NamedTuple, ParamSpec

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, SessionTransaction

P = ParamSpec("P")


class _Call(NamedTuple):
    """A function to call, the transaction or savepoint in which it was registered, and the context variables at that time."""

    transaction: SessionTransaction | None
    context: Context
    function: Callable[[], object]


def after_commit(session: AsyncSession, function: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
    """Call a function after the transaction of `session` was committed.

    It is not called if the transaction, or the savepoint that is open now, is rolled back. It must not use the session and must not raise.
    Log lines carry the `trace_id` and the `request_id` of the moment of this call.
    """
    sync = session.sync_session
    call = _Call(
        sync.get_nested_transaction() or sync.get_transaction(), copy_context(), partial(function, *args, **kwargs)
    )
    _calls(sync).append(call)


def _calls(session: Session) -> list[_Call]:
    calls: list[_Call] = session.info.setdefault(after_commit, [])
    return calls


@event.listens_for(Session, "after_commit")
def _call_all(session: Session) -> None:
    # SQLAlchemy reports the end of a savepoint as a commit too.
    if session.get_nested_transaction() is None:
        for call in session.info.pop(after_commit, ()):
            call.context.run(call.function)


@event.listens_for(Session, "after_soft_rollback")
def _forget(session: Session, rolled_back: SessionTransaction) -> None:
    if after_commit in session.info:
        session.info[after_commit] = [call for call in _calls(session) if not _is_inside(call.transaction, rolled_back)]


def _is_inside(transaction: SessionTransaction | None, outer: SessionTransaction) -> bool:
    """Return True if a transaction is `outer`, or a savepoint inside `outer`. None: no statement had begun the transaction yet."""
    if transaction is None:
        return outer.parent is None
    while transaction is not outer:
        if transaction.parent is None:
            return False
        transaction = transaction.parent
    return True
