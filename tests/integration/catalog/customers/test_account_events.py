"""auth's events about accounts change the customer of orders: once, late, twice and in any order."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import func, select, text, update

from contracts.events import AccountEvent
from kit.messaging import inbox, processor
from kit.messaging.inbox import Entry, Message
from kit.messaging.processor import BatchResult
from services.catalog import consumed_events
from services.catalog.customers import account_events
from services.catalog.customers.models import EndedAccount
from services.catalog.db import sessions
from services.catalog.models import IdempotencyKey, InboxRow
from services.catalog.order_models import Order
from services.catalog.orders.models import OrderAddress
from tests.factories.accounts import EMAIL, NAME, account_changed, account_deleted, account_merged
from tests.factories.catalog import ADDRESS, create_order, create_product, place_order
from tests.fixtures.tokens import Signer

GUEST: dict[str, Any] = {"email": None}


async def consume(*events: AccountEvent) -> dict[UUID, str]:
    """Store events in the inbox and process them, as the consumer does. Return the errors of failed entries."""
    by_key = {str(event.id): event for event in events}

    async def handle(session: Any, entries: Sequence[Entry]) -> BatchResult:
        found = await consumed_events.handle(session, [by_key[entry.key] for entry in entries])
        return BatchResult(failed={entry.id: found[UUID(entry.key)] for entry in entries if UUID(entry.key) in found})

    messages = [Message(key, event.model_dump_json(exclude_none=True).encode(), {}) for key, event in by_key.items()]
    async with sessions.begin() as session:
        entries = await inbox.store_processed(session, InboxRow, messages)
        await processor.process(session, InboxRow, entries, handle)
    async with sessions() as session:
        failed = select(InboxRow.key, InboxRow.error).where(InboxRow.error.is_not(None))
        return {UUID(key): error or "" for key, error in await session.execute(failed)}


async def customer_of(order: UUID) -> tuple[str, str | None, str | None]:
    async with sessions() as session:
        columns = Order.customer_id, Order.customer_email, Order.customer_name
        customer_id, email, name = (await session.execute(select(*columns).where(Order.id == order))).one()
        return str(customer_id), email, name


async def stored_text() -> str:
    """Return everything that the tables with customers and events contain."""
    async with sessions() as session:
        rows = [
            str(tuple(row))
            for table in (Order, OrderAddress, InboxRow, IdempotencyKey)
            for row in await session.execute(select(*table.__table__.c))
        ]
    return "\n".join(rows)


async def test_order_when_placed_has_the_customer_of_the_token_and_shows_it(
    client: httpx.AsyncClient, signer: Signer
) -> None:
    account = uuid4()
    headers = signer.headers(str(account), email=EMAIL, name=NAME)
    placed = (await place_order(client, headers, {await create_product(): 1})).json()
    person = {"id": str(account), "email": EMAIL, "name": NAME, "phone": None, "external_id": None}
    assert placed["customer"] == person
    shown = (await client.get(f"/catalog/orders/{placed['id']}", headers=headers)).json()
    assert shown["customer"] == placed["customer"]


async def test_account_when_changed_changes_its_orders_and_an_older_event_does_not(
    client: httpx.AsyncClient, signer: Signer
) -> None:
    account, now = uuid4(), datetime.now(UTC)
    order = await create_order(
        client, signer.headers(str(account), email="old@example.com"), {await create_product(): 1}
    )
    other = await create_order(client, signer.headers(email="other@example.com"), {await create_product(): 1})
    newer = account_changed(account, time=now)
    older = account_changed(account, email="older@example.com", time=now - timedelta(seconds=1))
    for event in (newer, newer, older):
        assert await consume(event) == {}
        assert await customer_of(order) == (str(account), EMAIL, NAME)
    assert (await customer_of(other))[1] == "other@example.com"
    found = await stored_text()
    assert found.count(EMAIL) == 1, "in the order, not in the inbox"
    assert "older@example.com" not in found


async def test_account_when_deleted_leaves_its_orders_without_name_and_address(
    client: httpx.AsyncClient, signer: Signer
) -> None:
    account = uuid4()
    headers = signer.headers(str(account), email=EMAIL, name=NAME)
    shipped = {await create_product(kind="shipped"): 1}
    order = await place_order(client, headers, shipped, "one", ADDRESS, metadata={"for": "Chidi"})
    bola = {**ADDRESS, "name": "Bola Ade"}
    other = await create_order(client, signer.headers(), {await create_product(kind="shipped"): 1}, bola)
    found = await stored_text()
    assert EMAIL in found, "in the order and in the stored response"
    assert found.count(ADDRESS["phone"]) == 2, "once for each order, and in no stored response"
    for _ in range(2):
        assert await consume(account_deleted(account)) == {}
    found = await stored_text()
    assert EMAIL not in found
    assert NAME not in found
    assert "Chidi" not in found
    assert found.count(ADDRESS["phone"]) == 1
    assert await customer_of(UUID(order.json()["id"])) == (str(account), None, None)
    async with sessions() as session:
        assert list(await session.scalars(select(OrderAddress.order_id))) == [other]


async def test_guest_when_merged_gives_its_orders_to_the_account(client: httpx.AsyncClient, signer: Signer) -> None:
    guest, account = uuid4(), uuid4()
    order = await create_order(client, signer.headers(str(guest), **GUEST), {await create_product(): 1})
    event = account_merged(guest, account)
    for _ in range(2):
        assert await consume(event) == {}
        assert await customer_of(order) == (str(account), EMAIL, NAME)
    mine = await client.get("/catalog/orders", headers=signer.headers(str(account), email=EMAIL))
    assert [item["id"] for item in mine.json()["items"]] == [str(order)]
    assert (
        await client.get(f"/catalog/orders/{order}", headers=signer.headers(str(guest), **GUEST))
    ).status_code == 404


async def test_account_that_is_no_guest_when_merged_keeps_its_orders(client: httpx.AsyncClient, signer: Signer) -> None:
    account, thief = uuid4(), uuid4()
    order = await create_order(client, signer.headers(str(account), email=EMAIL), {await create_product(): 1})
    event = account_merged(account, thief)
    assert await consume(event) == {event.id: f"account {account} is not a guest: its orders have an e-mail address"}
    assert (await customer_of(order))[0] == str(account)


@pytest.mark.parametrize("order_of_events", list(permutations(range(3))), ids=str)
async def test_events_in_any_order_when_the_account_is_deleted_leave_no_address(
    client: httpx.AsyncClient, signer: Signer, order_of_events: Sequence[int]
) -> None:
    guest, account = uuid4(), uuid4()
    order = await create_order(client, signer.headers(str(guest), **GUEST), {await create_product(): 1})
    events: list[AccountEvent] = [account_changed(account), account_merged(guest, account), account_deleted(account)]
    for number in order_of_events:
        await consume(events[number])
    assert await customer_of(order) == (str(account), None, None)
    assert EMAIL not in await stored_text()


async def test_order_when_placed_after_its_account_has_ended_is_corrected_by_reapply(
    client: httpx.AsyncClient, signer: Signer
) -> None:
    guest, account, deleted = uuid4(), uuid4(), uuid4()
    await consume(account_merged(guest, account), account_deleted(deleted))
    product = await create_product()
    of_guest = await create_order(client, signer.headers(str(guest), **GUEST), {product: 1})
    shipped, headers = await create_product(kind="shipped"), signer.headers(str(deleted), email=EMAIL)
    of_deleted = await create_order(client, headers, {shipped: 1}, ADDRESS)
    async with sessions.begin() as session:
        await account_events.reapply(session)
    assert (await customer_of(of_guest))[0] == str(account)
    assert await customer_of(of_deleted) == (str(deleted), None, None)
    assert ADDRESS["phone"] not in await stored_text()


async def test_prune_deletes_ended_accounts_whose_events_cannot_arrive_again() -> None:
    old, recent = uuid4(), uuid4()
    await consume(account_deleted(old), account_deleted(recent))
    async with sessions.begin() as session:
        longer_ago = func.now() - inbox.RETENTION - text("interval '1 second'")
        await session.execute(update(EndedAccount).where(EndedAccount.account_id == old).values(ended_at=longer_ago))
        assert await account_events.prune(session) == 1
        assert list(await session.scalars(select(EndedAccount.account_id))) == [recent]
