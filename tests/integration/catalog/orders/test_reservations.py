"""A payment that can be completed keeps the stock of its order reserved, within the limits of the customer."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import text

from contracts.events import Event
from services.catalog.db import sessions
from services.catalog.orders import limits
from services.catalog.settings import settings
from tests.factories.catalog import Headers, create_order, create_product
from tests.factories.events import (
    payment_abandoned,
    payment_failed,
    payment_held,
    payment_refunded,
    payment_started,
    payment_succeeded,
)
from tests.fixtures.catalog import (
    deliveries,
    end_reservation,
    expire_orders,
    handle_events,
    status_of,
    stock_of,
    undeliverable_payments,
)
from tests.fixtures.owners import owner_sessions
from tests.fixtures.plans import explain, recorded
from tests.fixtures.tokens import Signer

OTHER_ORDERS = """
    INSERT INTO orders (id, number, customer_id, placed_by_program, customer_external_id, status, amount, currency, expires_at)
    SELECT gen_random_uuid(), 'N' || n, customer_id, true, 'c-' || n, 'pending', amount, currency, expires_at
    FROM orders, generate_series(1, 5000) AS n WHERE id = :id
"""
OTHER_ITEMS = """
    INSERT INTO order_items (order_id, variant_id, product_id, position, name, slug, quantity, unit_price, stock_state)
    SELECT orders.id, variant_id, product_id, 0, name, slug, 1, unit_price, 'reserved'
    FROM orders, order_items WHERE order_id = :id AND orders.id <> :id
"""
SOON = timedelta(seconds=1)
HOUR = timedelta(hours=1)


async def ends_in(order_id: UUID) -> timedelta:
    """Return how long the order is still reserved, to the second."""
    async with sessions() as session:
        query = text("SELECT expires_at - now() FROM orders WHERE id = :id")
        found: timedelta = (await session.execute(query, {"id": order_id})).scalar_one()
    return timedelta(seconds=round(found.total_seconds()))


def after(duration: timedelta) -> datetime:
    return datetime.now(UTC) + duration


@pytest.fixture
async def cup() -> UUID:
    return await create_product(5)


@pytest.fixture
async def order_id(client: httpx.AsyncClient, customer: Headers, cup: UUID) -> UUID:
    return await create_order(client, customer, {cup: 1})


def is_about(found: timedelta, expected: timedelta) -> bool:
    return abs(found - expected) < timedelta(seconds=20)


async def test_started_payment_extends_the_order_until_its_end(
    client: httpx.AsyncClient, customer: Headers, cup: UUID, order_id: UUID
) -> None:
    await handle_events(payment_started(order_id, "r1", after(HOUR)), payment_started(order_id, "r2", after(HOUR / 2)))
    assert is_about(await ends_in(order_id), HOUR)
    shown = (await client.get(f"/catalog/orders/{order_id}", headers=customer)).json()
    assert is_about(datetime.fromisoformat(shown["expires_at"]) - datetime.now(UTC), HOUR)
    assert await expire_orders() == 0
    assert await stock_of(cup) == 4


async def test_started_payment_without_an_end_extends_the_order_to_the_limit(order_id: UUID) -> None:
    await handle_events(payment_started(order_id, "r1"))
    assert is_about(await ends_in(order_id), timedelta(seconds=settings.catalog_max_reservation_seconds))


async def test_started_payment_that_ends_before_the_order_changes_nothing(order_id: UUID) -> None:
    before = await ends_in(order_id)
    await handle_events(payment_started(order_id, "r1", after(SOON)))
    assert is_about(await ends_in(order_id), before)


@pytest.mark.parametrize("ended", [payment_failed, payment_abandoned])
async def test_payment_that_failed_ends_only_its_own_extension(
    order_id: UUID, ended: Callable[[UUID, str], Event]
) -> None:
    await handle_events(payment_started(order_id, "r1", after(2 * HOUR)), payment_started(order_id, "r2", after(HOUR)))
    await handle_events(ended(order_id, "r1"))
    assert is_about(await ends_in(order_id), HOUR)
    await handle_events(ended(order_id, "r2"))
    assert is_about(await ends_in(order_id), timedelta(seconds=settings.catalog_reservation_seconds))
    assert await status_of(order_id) == "pending"


async def test_order_whose_own_reservation_has_ended_expires_when_its_last_payment_fails(
    cup: UUID, order_id: UUID
) -> None:
    await end_reservation(order_id)
    await handle_events(payment_started(order_id, "r1", after(HOUR)))
    assert await expire_orders() == 0
    await handle_events(payment_failed(order_id, "r1"))
    assert await expire_orders() == 1
    assert (await status_of(order_id), await stock_of(cup)) == ("expired", 5)


async def test_payment_that_failed_before_it_was_started_extends_nothing(order_id: UUID) -> None:
    before = await ends_in(order_id)
    await handle_events(payment_failed(order_id, "r1"))
    await handle_events(payment_started(order_id, "r1", after(HOUR)))
    assert is_about(await ends_in(order_id), before)


@pytest.mark.parametrize("together", [True, False])
async def test_started_event_after_the_payment_has_succeeded_changes_nothing(
    cup: UUID, order_id: UUID, together: bool
) -> None:
    events: list[Event] = [payment_succeeded(order_id, "r1"), payment_started(order_id, "r1", after(HOUR))]
    for batch in [events] if together else [[event] for event in events]:
        await handle_events(*batch)
    await handle_events(*events)
    assert await deliveries() == {order_id: "r1"}
    assert (await status_of(order_id), await stock_of(cup)) == ("delivered", 4)
    assert (await ends_in(order_id)) <= timedelta(seconds=settings.catalog_reservation_seconds)


async def test_started_event_before_and_after_a_refund_that_was_reported_early_ends_refunded(order_id: UUID) -> None:
    await handle_events(payment_refunded(order_id, "r1"), payment_started(order_id, "r1", after(HOUR)))
    await handle_events(payment_succeeded(order_id, "r1"))
    await handle_events(payment_started(order_id, "r1", after(HOUR)))
    assert await status_of(order_id) == "refunded"


async def test_started_event_after_the_order_has_expired_leaves_it_expired_and_late_money_is_decided_by_stock(
    cup: UUID, order_id: UUID
) -> None:
    await end_reservation(order_id)
    assert await expire_orders() == 1
    await handle_events(payment_started(order_id, "r1", after(HOUR)))
    assert (await status_of(order_id), await stock_of(cup)) == ("expired", 5)
    await handle_events(payment_succeeded(order_id, "r1"))
    assert (await status_of(order_id), await stock_of(cup)) == ("delivered", 4)


async def test_started_event_after_the_order_was_cancelled_leaves_it_cancelled_and_its_money_is_refunded(
    client: httpx.AsyncClient, customer: Headers, cup: UUID, order_id: UUID
) -> None:
    await client.post(f"/catalog/orders/{order_id}/cancel", headers=customer)
    await handle_events(payment_started(order_id, "r1", after(HOUR)))
    assert (await status_of(order_id), await stock_of(cup)) == ("cancelled", 5)
    await handle_events(payment_succeeded(order_id, "r1"))
    assert await undeliverable_payments() == [("r1", "cancelled")]


async def test_held_payment_keeps_its_extension(order_id: UUID) -> None:
    await handle_events(payment_started(order_id, "r1", after(HOUR)), payment_held(order_id, "r1"))
    assert is_about(await ends_in(order_id), HOUR)


async def test_started_event_of_an_unknown_order_is_ignored() -> None:
    assert await handle_events(payment_started(uuid4(), "r1", after(HOUR))) == {}


async def test_started_event_with_another_amount_is_not_applied(order_id: UUID) -> None:
    before, event = await ends_in(order_id), payment_started(order_id, "r1", after(HOUR), amount=1)
    assert (await handle_events(event)).keys() == {event.id}
    assert is_about(await ends_in(order_id), before)


async def test_started_payment_does_not_extend_an_order_while_its_customer_has_too_many_orders(
    client: httpx.AsyncClient, customer: Headers, cup: UUID, order_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    await create_order(client, customer, {cup: 1})
    lowered = settings.model_copy(update={"catalog_max_pending_orders": 1})
    monkeypatch.setattr(limits, "settings", lowered)
    before = await ends_in(order_id)
    await handle_events(payment_started(order_id, "r1", after(HOUR)))
    assert is_about(await ends_in(order_id), before)
    # A later event finds the customer within the limits.
    monkeypatch.setattr(limits, "settings", settings)
    await handle_events(payment_started(order_id, "r2", after(HOUR / 2)))
    assert is_about(await ends_in(order_id), HOUR)


@pytest.mark.parametrize("own", [True, False])
async def test_orders_of_a_program_count_for_each_of_its_customers(
    client: httpx.AsyncClient, customer: Headers, cup: UUID, order_id: UUID, monkeypatch: pytest.MonkeyPatch, own: bool
) -> None:
    other = await create_order(client, customer, {cup: 1})
    async with sessions.begin() as session:
        statement = text("UPDATE orders SET placed_by_program = true, customer_external_id = :who WHERE id = :id")
        await session.execute(statement, [{"id": order_id, "who": "a"}, {"id": other, "who": "a" if own else "b"}])
    monkeypatch.setattr(limits, "settings", settings.model_copy(update={"catalog_max_pending_orders": 1}))
    before = await ends_in(order_id)
    await handle_events(payment_started(order_id, "r1", after(HOUR)))
    assert is_about(await ends_in(order_id), before if own else HOUR)


@pytest.mark.parametrize("same_network", [True, False])
async def test_guests_of_one_network_share_the_part_of_one_customer(
    client: httpx.AsyncClient, signer: Signer, same_network: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "settings", settings.model_copy(update={"catalog_max_reserved_share": 0.5}))
    lamp = await create_product(40)
    first, second = [await create_order(client, signer.headers(f"guest-{n}", email=None), {lamp: 20}) for n in range(2)]
    if not same_network:
        async with sessions.begin() as session:
            await session.execute(
                text("UPDATE orders SET guest_limit_address = '192.0.2.7' WHERE id = :id"), {"id": first}
            )
    before = await ends_in(second)
    await handle_events(payment_started(second, "r1", after(HOUR), amount=20 * 50_000))
    assert is_about(await ends_in(second), before if same_network else HOUR)


async def test_limits_of_one_customer_of_a_program_do_not_read_the_orders_of_its_other_customers(
    client: httpx.AsyncClient, customer: Headers, cup: UUID, order_id: UUID
) -> None:
    async with owner_sessions("catalog")() as session:
        await session.execute(text("UPDATE orders SET placed_by_program = true, customer_external_id = 'c-0'"))
        await session.execute(text(OTHER_ORDERS), {"id": order_id})
        await session.execute(text(OTHER_ITEMS), {"id": order_id})
        for table in ("orders", "order_items"):
            await session.execute(text(f"ANALYZE {table}"))
        with recorded(session) as statements:
            assert await limits.find_within_limits(session, [order_id]) == {order_id}
        ((statement, parameters),) = statements
        rows, _ = await explain(session, statement, parameters)
        assert rows < 100


async def test_started_payment_does_not_extend_an_order_with_more_than_the_customers_share_of_the_stock(
    client: httpx.AsyncClient, customer: Headers
) -> None:
    lamp = await create_product(40)
    order_id = await create_order(client, customer, {lamp: 20})
    async with sessions.begin() as session:  # a count found only so many units
        await session.execute(text("UPDATE stock_levels SET on_hand = 12 WHERE variant_id = :id"), {"id": lamp})
    before = await ends_in(order_id)
    await handle_events(payment_started(order_id, "r1", after(HOUR), amount=20 * 50_000))
    assert is_about(await ends_in(order_id), before)
