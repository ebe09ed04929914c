"""Expire orders that were not paid in time, and release their stock."""

from collections.abc import Sequence
from uuid import UUID

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.db.after_commit import after_commit
from kit.db.locks import for_no_key_update
from kit.worker.shutdown import Shutdown
from services.catalog import metrics
from services.catalog.order_models import Order
from services.catalog.statuses import OrderStatus
from services.catalog.stock import levels

BATCH = 100
POLL_SECONDS = 1.0
log = structlog.get_logger("expiry")


async def expire(session: AsyncSession) -> int:
    """Expire up to BATCH orders whose `expires_at` has passed, and return their number.

    Orders that another transaction has locked (a delivery, a cancellation) are skipped. The next call expires them if they are still
    pending.
    """
    due = select(Order.id).where(Order.status == OrderStatus.PENDING, Order.expires_at <= func.now())
    locked = for_no_key_update(due.order_by(Order.expires_at).limit(BATCH), skip_locked=True)
    ids = sorted((await session.execute(locked)).scalars())
    if ids:
        await session.execute(
            update(Order).where(Order.id.in_(ids)).values(status=OrderStatus.EXPIRED, guest_limit_address=None)
        )
        await levels.release(session, ids, "expiry")
        after_commit(session, _log_and_count, ids)
    return len(ids)


def _log_and_count(ids: Sequence[UUID]) -> None:
    metrics.orders_expired.inc(len(ids))
    for order_id in ids:
        log.info("order expired", order_id=str(order_id))


async def run(sessions: async_sessionmaker[AsyncSession], shutdown: Shutdown) -> None:
    """Expire orders until shutdown is requested, one batch in each transaction."""
    while not shutdown.requested:
        async with sessions.begin() as session:
            count = await expire(session)
        if count < BATCH:
            await shutdown.wait(POLL_SECONDS)
