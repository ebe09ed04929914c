"""Apply auth's events about accounts to payments and cards: a merged guest, a deleted account.

Events may arrive twice, late and in any order, and a payment may be started with an access token a moment after its account has ended. So
ended accounts are remembered, and what their end means is applied again for some time (`reapply`). Amounts,
times, references and the customer's id are kept for bookkeeping.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

import structlog
from pydantic import TypeAdapter
from sqlalchemy import ARRAY, ColumnElement, Text, cast, delete, exists, func, null, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from contracts.events import AccountDeleted, AccountMerged
from kit.db.after_commit import after_commit
from kit.messaging import inbox
from kit.messaging.personal_data import forget_persons
from kit.worker.shutdown import Shutdown
from services.payments.cards.deactivation import ERASED
from services.payments.cards.models import Card
from services.payments.customers.models import EndedAccount
from services.payments.customers.personal_data import ERASED_PAYMENT, PERSONAL_EVIDENCE
from services.payments.db import sessions
from services.payments.models import Dispute, IdempotencyKey, Inbox, Payment

REAPPLY_PERIOD = timedelta(hours=2)
"""Longer than the lifetime of an access token, which is at most an hour."""

INTERVAL_SECONDS = 60.0
BATCH = 1000

CUSTOMER = cast(EndedAccount.account_id, Text)
DELETED, MERGED = EndedAccount.merged_into.is_(None), EndedAccount.merged_into.is_not(None)
NO_SYNC: dict[str, bool] = {"synchronize_session": False}

AccountEnd = AccountDeleted | AccountMerged
EVENT_ADAPTER: TypeAdapter[AccountEnd] = TypeAdapter(AccountEnd)
log = structlog.get_logger("customers")


async def handle(session: AsyncSession, events: Sequence[AccountEnd]) -> Mapping[UUID, str]:
    """Apply events about accounts."""
    for event in events:
        merged_into = event.data.merged_into if isinstance(event, AccountMerged) else None
        row = insert(EndedAccount).values(
            account_id=event.data.account_id, merged_into=merged_into, ended_at=event.time
        )
        await session.execute(row.on_conflict_do_nothing())
        await _apply(session, EndedAccount.account_id == event.data.account_id)
        after_commit(session, log.info, "account event applied", event_type=event.type, account_id=event.subject)
    await forget_persons(session, Inbox, events)
    return {}


async def _apply(session: AsyncSession, which: ColumnElement[bool]) -> None:
    """Move the cards and payments of merged guests, and erase the personal data of deleted accounts."""
    await _move_cards(session, which)
    await session.execute(
        update(Payment)
        .where(which, MERGED, Payment.customer_id == CUSTOMER)
        .values(customer_id=cast(EndedAccount.merged_into, Text))
        .execution_options(**NO_SYNC)
    )
    await _erase(session, which)


async def _move_cards(session: AsyncSession, which: ColumnElement[bool]) -> None:
    """Give the guests' cards to their accounts. A card that the account has already is not moved: it is erased, or deactivated at Paystack
    if it has another authorization code than the card of the account.
    """
    same = aliased(Card)
    of_account = (
        same.customer_id == cast(EndedAccount.merged_into, Text),
        same.domain == Card.domain,
        same.signature == Card.signature,
    )
    of_guest = (which, MERGED, Card.customer_id == CUSTOMER)
    await session.execute(
        update(Card)
        .where(*of_guest, ~exists().where(*of_account).correlate(Card, EndedAccount))
        .values(customer_id=cast(EndedAccount.merged_into, Text))
        .execution_options(**NO_SYNC)
    )
    duplicates = (*of_guest, *of_account, Card.deactivated_at.is_(None))
    await session.execute(
        update(Card)
        .where(*duplicates, Card.authorization_code == same.authorization_code)
        .values(**ERASED, deactivated_at=func.now())
        .execution_options(**NO_SYNC)
    )
    await session.execute(
        update(Card)
        .where(*duplicates)
        .values(deactivated_at=func.now(), next_attempt_at=func.now(), attempts=0)
        .execution_options(**NO_SYNC)
    )


async def _erase(session: AsyncSession, which: ColumnElement[bool]) -> None:
    """Erase what identifies the person in payments, cards, evidence and stored responses. Cards are deactivated at Paystack."""
    deleted = (which, DELETED)
    await session.execute(
        update(Payment)
        .where(*deleted, Payment.customer_id == CUSTOMER)
        .where(or_(Payment.email.is_not(None), Payment.phone.is_not(None), Payment.client_metadata != {}))
        .values(ERASED_PAYMENT)
        .execution_options(**NO_SYNC)
    )
    await session.execute(
        update(Card)
        .where(*deleted, Card.customer_id == CUSTOMER, Card.deactivated_at.is_(None))
        .values(deactivated_at=func.now(), next_attempt_at=func.now(), attempts=0)
        .execution_options(**NO_SYNC)
    )
    # The other data of a card is erased after its deactivation at Paystack (cards/deactivation.py).
    await session.execute(
        update(Card)
        .where(*deleted, Card.customer_id == CUSTOMER, Card.email.is_not(None))
        .values(email=null())
        .execution_options(**NO_SYNC)
    )
    evidence = Dispute.evidence.op("-")(cast(PERSONAL_EVIDENCE, ARRAY(Text)))
    await session.execute(
        update(Dispute)
        .where(
            *deleted, Dispute.payment_id == Payment.id, Payment.customer_id == CUSTOMER, Dispute.evidence.is_not(None)
        )
        .values(evidence=evidence)
        .execution_options(**NO_SYNC)
    )
    await session.execute(
        delete(IdempotencyKey)
        .where(*deleted, IdempotencyKey.caller == CUSTOMER, IdempotencyKey.status.is_not(None))
        .execution_options(**NO_SYNC)
    )


async def reapply(session: AsyncSession) -> None:
    """Apply again the end of the accounts that ended within REAPPLY_PERIOD: a payment may have been started with a token of one of them."""
    await _apply(session, EndedAccount.ended_at > func.now() - REAPPLY_PERIOD)


async def prune(session: AsyncSession, limit: int = BATCH) -> int:
    """Delete up to `limit` ended accounts whose events cannot arrive again. Return their number."""
    old = select(EndedAccount.account_id).where(EndedAccount.ended_at < func.now() - inbox.RETENTION).limit(limit)
    locked = old.with_for_update(skip_locked=True).cte("locked")
    deleted = await session.execute(
        delete(EndedAccount).where(EndedAccount.account_id.in_(select(locked))).returning(EndedAccount.account_id)
    )
    return len(deleted.all())


async def run(shutdown: Shutdown) -> None:
    """Run as a job: reapply and prune once a minute."""
    while not shutdown.requested:
        async with sessions.begin() as session:
            await reapply(session)
        async with sessions.begin() as session:
            pruned = await prune(session)
        if pruned < BATCH:
            await shutdown.wait(INTERVAL_SECONDS)
