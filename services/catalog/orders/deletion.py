"""Delete expired and cancelled orders that were never paid.

Orders with a payment or a delivery are kept for ever, for bookkeeping. The stock movements of a deleted order stay, with its id, so their
sums do not change. Money that arrives for a deleted order is refunded, like money for any order that catalog does not know.
"""

from datetime import timedelta

import structlog
from sqlalchemy import delete, exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.db.after_commit import after_commit
from kit.worker.shutdown import Shutdown
from services.catalog.order_models import Order
from services.catalog.orders.models import Delivery, OrderPayment
from services.catalog.settings import settings
from services.catalog.statuses import OrderStatus

BATCH = 500
INTERVAL_SECONDS = 600.0
log = structlog.get_logger("orders")

HAS_PAYMENT = exists().where(OrderPayment.order_id == Order.id)
HAS_DELIVERY = exists().where(Delivery.order_id == Order.id)


async def delete_never_paid(session: AsyncSession, limit: int = BATCH) -> int:
    """Delete up to `limit` orders whose `expires_at` is more than CATALOG_DELETE_UNPAID_ORDERS_DAYS ago, with their items and notes.

    Return their number. Orders that another transaction has locked are skipped. The first statement locks the orders, and the second checks
    the conditions again: a payment, which is recorded under the same lock, may have been committed while the first statement ran.
    """
    age = timedelta(days=settings.catalog_delete_unpaid_orders_days)
    ended = (
        Order.status.in_((OrderStatus.EXPIRED, OrderStatus.CANCELLED)),
        Order.payment_reference.is_(None),
        Order.expires_at < func.now() - age,
    )
    old = select(Order.id).where(*ended, ~HAS_PAYMENT, ~HAS_DELIVERY).order_by(Order.expires_at).limit(limit)
    ids = (await session.execute(old.with_for_update(skip_locked=True, of=Order))).scalars().all()
    if not ids:
        return 0
    never_paid = delete(Order).where(Order.id.in_(ids), *ended, ~HAS_PAYMENT, ~HAS_DELIVERY).returning(Order.id)
    deleted = len((await session.execute(never_paid, execution_options={"synchronize_session": False})).all())
    after_commit(session, log.info, "expired and cancelled orders deleted", count=deleted)
    return deleted


async def run(sessions: async_sessionmaker[AsyncSession], shutdown: Shutdown) -> None:
    """Delete orders until shutdown is requested, one batch in each transaction."""
    while not shutdown.requested:
        async with sessions.begin() as session:
            deleted = await delete_never_paid(session)
        if deleted < BATCH:
            await shutdown.wait(INTERVAL_SECONDS)
