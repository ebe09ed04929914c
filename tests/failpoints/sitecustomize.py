"""Failpoints: a process that finds this on its PYTHONPATH kills itself at the step that a test has armed, as `kill -9` would.

A step is armed by a file of its name in the folder FAILPOINTS. The process takes the file away and is gone: one file, one death. The
program itself knows nothing of it: the steps are reached through wraps of its functions and through SQLAlchemy's own events.

    intake.inserting   the notice is about to be stored            outbox.selected    the relay has read a window
    intake.committed   it is stored, and not answered              outbox.published   the broker has it, and says so; nobody has heard
    notices.locked     due notices are locked                      outbox.confirmed   it is to be deleted
    notices.written    their effect is written, not committed      outbox.deleted     it is deleted
    notices.committed  committed, nobody has been woken            inbox.arrived      messages have come
    refund.sending     POST /refund is about to be sent            inbox.claimed      they are claimed
    refund.sent        it is answered, and not written down        inbox.written      their effect is written, not committed
    checkout.sending   the reference is stored, Paystack not asked inbox.committed    committed, not acknowledged
    checkout.sent      Paystack has answered, not written down     migration.moved    one migration of several is done
"""

import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiormq.channel import Channel
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from kit.messaging import inbox, processor
from kit.messaging.consumer import Consumer
from kit.messaging.relay import Relay

ARMED = Path(os.environ["FAILPOINTS"])
STATEMENTS = {
    "INSERT INTO webhook_events": ("intake.inserting", "intake.committed"),
    "DELETE FROM outbox": ("outbox.confirmed", "outbox.deleted"),
    "UPDATE alembic_version": (None, "migration.moved"),
}
Work = Callable[..., Awaitable[Any]]


def reach(step: str) -> None:
    try:
        (ARMED / step).unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def steps(work: Work, before: str | None = None, after: Callable[..., str] | str | None = None) -> Any:
    """The function, with a step before it and one after it; that one only where it found something."""

    async def watched(*args: Any, **kwargs: Any) -> Any:
        if before:
            reach(before)
        found = await work(*args, **kwargs)
        if after and found:
            reach(after if isinstance(after, str) else after(*args))
        return found

    return watched


def before_statement(_: object, __: object, statement: str, *___: object) -> None:
    for start, (step, _after) in STATEMENTS.items():
        if step and statement.startswith(start):
            reach(step)


def after_statement(_: object, __: object, statement: str, *___: object) -> None:
    for start, (_before, step) in STATEMENTS.items():
        if statement.startswith(start):
            reach(step)


def after_commit(session: Session) -> None:
    door = session.info.pop("settled", None)
    if door:
        reach(f"{door}.committed")


settle = processor.process


async def settled(session: Any, table: Any, entries: Any, handler: Any) -> frozenset[str]:
    wake = await settle(session, table, entries, handler)
    if entries:
        reach(f"{table.__tablename__}.written")
        session.info["settled"] = table.__tablename__
    return wake


event.listen(Engine, "before_cursor_execute", before_statement)
event.listen(Engine, "after_cursor_execute", after_statement)
event.listen(Session, "after_commit", after_commit)
inbox.lock_due = steps(inbox.lock_due, after=lambda _, table, *__: f"{table.__tablename__}.locked")
inbox.store_processed = steps(inbox.store_processed, after="inbox.claimed")
processor.process = settled  # type: ignore[assignment]
Consumer._take = steps(Consumer._take, before="inbox.arrived")  # type: ignore[method-assign]
Relay._publish = steps(Relay._publish, before="outbox.selected")  # type: ignore[method-assign]
Channel._on_confirm_frame = steps(Channel._on_confirm_frame, before="outbox.published")  # type: ignore[method-assign]
if "PAYMENTS_DATABASE_URL" in os.environ:
    from services.payments.paystack.refunds import Refunds
    from services.payments.paystack.transactions import Transactions

    Transactions.initialize = steps(Transactions.initialize, "checkout.sending", "checkout.sent")  # type: ignore[method-assign]
    Refunds.send = steps(Refunds.send, "refund.sending", "refund.sent")  # type: ignore[method-assign]
