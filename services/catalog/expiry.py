"""Expiry: an order that was not paid in time gives back what it reserved."""

import structlog
from prometheus_client import Counter
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from kit.worker.shutdown import Shutdown
from services.catalog import stock
from services.catalog.db import sessions
from services.catalog.models import Order

BATCH = 100
POLL_SECONDS = 1.0
expired_total = Counter("orders_expired_total", "Orders that expired unpaid")
log = structlog.get_logger("expiry")


async def expire(session: AsyncSession) -> int:
    """Expire the orders whose time is over, at most BATCH. How many it were.

    An order that somebody has in hand (a payment being delivered, a cancellation) is passed over; the next round sees what became of it.
    """
    over = select(Order.id).where(Order.status == "pending", Order.expires_at <= func.now())
    locked = over.order_by(Order.expires_at).limit(BATCH).with_for_update(key_share=True, skip_locked=True)
    ids = sorted((await session.execute(locked)).scalars())
    if ids:
        await session.execute(update(Order).where(Order.id.in_(ids)).values(status="expired"))
        await stock.give_back(session, ids)
        expired_total.inc(len(ids))
        log.info("orders expired", count=len(ids))
    return len(ids)


async def sweep(shutdown: Shutdown) -> None:
    """The worker's loop."""
    while not shutdown.requested:
        async with sessions.begin() as session:
            count = await expire(session)
        if count < BATCH:
            await shutdown.wait(POLL_SECONDS)
