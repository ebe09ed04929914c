"""Events about accounts: written in the transaction of the change, and the same events again when they are republished."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, func, select, update

from contracts.events import EVENT_ADAPTER
from services.auth.accounts import events
from services.auth.accounts.deletion import delete_account
from services.auth.accounts.models import EndedAccount
from services.auth.db import db_sessions
from services.auth.models import Account, OutboxRow
from services.auth.republish import republish
from tests.fixtures.auth import AuthClient


async def outbox() -> list[Any]:
    """Return the events of the outbox."""
    async with db_sessions() as session:
        bodies = await session.scalars(select(OutboxRow.body).order_by(OutboxRow.id))
        return [EVENT_ADAPTER.validate_json(body) for body in bodies]


@pytest.fixture
async def account_id(auth: AuthClient) -> UUID:
    return UUID((await auth.register("ada@example.com", name="Ada")).json()["id"])


async def test_change_when_published_has_the_current_name_and_address(account_id: UUID) -> None:
    async with db_sessions.begin() as session:
        await session.execute(update(Account).values(name="Ada Obi"))
        await events.publish_change(session, account_id)
    (event,) = await outbox()
    assert (event.type, event.source, event.subject) == ("account.changed", "/auth", str(account_id))
    assert event.data.model_dump() == {"account_id": account_id, "email": "ada@example.com", "name": "Ada Obi"}


async def test_change_when_its_transaction_is_rolled_back_is_not_published(account_id: UUID) -> None:
    async with db_sessions() as session:
        await events.publish_change(session, account_id)
        await session.rollback()
    assert await outbox() == []


async def test_account_when_deleted_is_logged_out_and_its_address_can_be_registered_again(
    auth: AuthClient, account_id: UUID
) -> None:
    tokens = (await auth.login("ada@example.com")).json()
    async with db_sessions.begin() as session:
        assert await delete_account(session, account_id)
        assert not await delete_account(session, account_id)
    (event,) = await outbox()
    assert (event.type, event.subject) == ("account.deleted", str(account_id))
    assert "ada" not in event.model_dump_json()
    assert (await auth.me(tokens["access_token"])).status_code == 401
    assert (await auth.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    assert len((await auth.http.get("/auth/revocations")).json()["sessions"]) == 1
    assert (await auth.register("ada@example.com")).json()["id"] != str(account_id)


async def test_republish_writes_the_same_events_again(account_id: UUID) -> None:
    async with db_sessions.begin() as session:
        await events.publish_change(session, account_id)
        await events.end(session, uuid4(), merged_into=account_id)
        await events.end(session, uuid4(), merged_into=None)
    published = await outbox()
    now = datetime.now(UTC)
    hour = timedelta(hours=1)
    assert [count async for count in republish(now - hour, now + hour)] == [0, 0], "they are still in the outbox"
    async with db_sessions.begin() as session:
        await session.execute(delete(OutboxRow))
    assert [count async for count in republish(now - hour, now + hour)] == [1, 2]
    again = await outbox()
    assert {event.type: event.data for event in again} == {event.type: event.data for event in published}
    assert {event.id for event in again} == {event.id for event in published}
    assert [count async for count in republish(now + hour, now + 2 * hour)] == []


async def test_ended_account_when_its_event_is_too_old_to_be_republished_is_pruned() -> None:
    async with db_sessions.begin() as session:
        await events.end(session, uuid4(), merged_into=None)
        assert await events.prune(session, 10) == 0
        await session.execute(update(EndedAccount).values(ended_at=func.now() - events.RETENTION))
    async with db_sessions.begin() as session:
        assert await events.prune(session, 10) == 1
