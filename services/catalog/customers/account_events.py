"""Apply auth's events about accounts to orders: a changed name or e-mail address, a merged guest, a deleted account.

Events may arrive twice, late and in any sequence, and an order may be placed with an access token a moment after its account has ended. So
ended accounts are remembered, and what their end means for orders is applied again for some time (`reapply`).
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, Text, cast, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from contracts.events import AccountChanged, AccountDeleted, AccountEvent, AccountMerged
from kit.db.after_commit import after_commit
from kit.messaging import inbox
from kit.messaging.personal_data import forget_persons
from kit.worker.shutdown import Shutdown
from services.catalog.customers.models import EndedAccount
from services.catalog.models import IdempotencyKey, InboxRow
from services.catalog.order_models import Order
from services.catalog.orders.addresses import erase_addresses
from services.catalog.orders.models import OrderAddress

REAPPLY_PERIOD = timedelta(hours=2)
"""Longer than the lifetime of an access token, which is at most an hour."""

INTERVAL_SECONDS = 60.0
BATCH = 1000

log = structlog.get_logger("customers")


async def handle(session: AsyncSession, events: Sequence[AccountEvent]) -> Mapping[UUID, str]:
    """Apply events about accounts. Return the reason for each event that contradicts the orders and was not applied."""
    contradictions = {}
    for event in events:
        match event:
            case AccountChanged():
                await _change(session, event)
            case AccountMerged():
                if contradiction := await _find_contradiction(session, event):
                    contradictions[event.id] = contradiction
                    continue
                await _merge(session, event)
            case AccountDeleted():
                await _end(session, event, merged_into=None)
        after_commit(session, log.info, "account event applied", event_type=event.type, account_id=event.subject)
    await forget_persons(session, InboxRow, [event for event in events if event.id not in contradictions])
    return contradictions


async def _change(session: AsyncSession, event: AccountChanged) -> None:
    """Set name and e-mail address of the account's orders, unless a newer event has set them or the account has ended."""
    data = event.data
    ended = select(EndedAccount.account_id).where(EndedAccount.account_id == data.account_id)
    await session.execute(
        update(Order)
        .where(
            Order.customer_id == str(data.account_id),
            or_(Order.customer_changed_at.is_(None), Order.customer_changed_at < event.time),
            ~ended.exists(),
        )
        .values(customer_email=data.email, customer_name=data.name, customer_changed_at=event.time)
    )


async def _find_contradiction(session: AsyncSession, event: AccountMerged) -> str | None:
    """A guest has no e-mail address, so an order that has one does not belong to a guest."""
    of_account = (Order.customer_id == event.subject, Order.customer_email.is_not(None))
    if await session.scalar(select(Order.id).where(*of_account).limit(1)) is None:
        return None
    return f"account {event.subject} is not a guest: its orders have an e-mail address"


async def _merge(session: AsyncSession, event: AccountMerged) -> None:
    """Move the guest's orders to the account. They get its name and e-mail address, unless it was deleted meanwhile."""
    await _end(session, event, merged_into=event.data.merged_into)
    deleted = select(EndedAccount.account_id).where(EndedAccount.account_id == event.data.merged_into)
    await session.execute(
        update(Order)
        .where(
            Order.customer_id == str(event.data.merged_into),
            Order.customer_email.is_(None),
            ~deleted.exists(),
        )
        .values(customer_email=event.data.email, customer_name=event.data.name)
    )


async def _end(session: AsyncSession, event: AccountDeleted | AccountMerged, *, merged_into: UUID | None) -> None:
    row = insert(EndedAccount).values(account_id=event.data.account_id, merged_into=merged_into, ended_at=event.time)
    await session.execute(row.on_conflict_do_nothing())
    await _apply(session, EndedAccount.account_id == event.data.account_id)


async def _apply(session: AsyncSession, which: ColumnElement[bool]) -> None:
    """Move the orders of merged guests; erase names, e-mail and shipping addresses, and metadata from the orders of deleted accounts."""
    customer = cast(EndedAccount.account_id, Text)
    await session.execute(
        update(Order)
        .where(which, EndedAccount.merged_into.is_not(None), Order.customer_id == customer)
        .values(customer_id=cast(EndedAccount.merged_into, Text))
        .execution_options(synchronize_session=False)
    )
    erase: dict[str, object] = {"customer_email": None, "customer_name": None, "client_metadata": {}}
    await session.execute(
        update(Order)
        .where(which, EndedAccount.merged_into.is_(None), Order.customer_id == customer)
        .where(
            or_(
                Order.customer_email.is_not(None),
                Order.customer_name.is_not(None),
                Order.client_metadata != {},
            )
        )
        .values(erase)
        .execution_options(synchronize_session=False)
    )
    await erase_addresses(
        session,
        OrderAddress.order_id.in_(
            select(Order.id)
            .join(EndedAccount, Order.customer_id == customer)
            .where(which, EndedAccount.merged_into.is_(None))
        ),
    )
    # The stored responses contain the customer.
    await session.execute(
        delete(IdempotencyKey)
        .where(which, EndedAccount.merged_into.is_(None), IdempotencyKey.caller == customer)
        .execution_options(synchronize_session=False)
    )


async def reapply(session: AsyncSession) -> None:
    """Apply again the end of the accounts that ended within REAPPLY_PERIOD: an order may have been placed with a token of one of them."""
    await _apply(session, EndedAccount.ended_at > func.now() - REAPPLY_PERIOD)


async def prune(session: AsyncSession, limit: int = BATCH) -> int:
    """Delete up to `limit` ended accounts whose events cannot arrive again. Return their number."""
    old = select(EndedAccount.account_id).where(EndedAccount.ended_at < func.now() - inbox.RETENTION).limit(limit)
    locked = old.with_for_update(skip_locked=True).cte("locked")
    deleted = await session.execute(
        delete(EndedAccount).where(EndedAccount.account_id.in_(select(locked))).returning(EndedAccount.account_id)
    )
    return len(deleted.all())


async def run(sessions: async_sessionmaker[AsyncSession], shutdown: Shutdown) -> None:
    """Run as a job: reapply and prune once a minute."""
    while not shutdown.requested:
        async with sessions.begin() as session:
            await reapply(session)
        async with sessions.begin() as session:
            pruned = await prune(session)
        if pruned < BATCH:
            await shutdown.wait(INTERVAL_SECONDS)
