"""The statuses of orders and their transitions are rows, which a trigger enforces for every role."""

import re
from collections.abc import AsyncIterator
from itertools import product
from uuid import uuid4

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from dev import PROJECT
from services.catalog.db import sessions
from services.catalog.models import Product
from services.catalog.order_models import Order, OrderItem
from services.catalog.orders.models import OrderStatusRow, OrderStatusTransition
from services.catalog.statuses import ORDER_TRANSITIONS, OrderStatus
from tests.factories.catalog import add_product
from tests.fixtures.owners import owner_sessions

ORDER = {"number": "7K3M-9QXQ", "customer_id": "c", "amount": 100, "currency": "NGN", "expires_at": text("now()")}
ITEM = {"position": 0, "name": "Cup", "slug": "cup", "quantity": 1, "unit_price": 100}


@pytest.fixture(params=["application", "owner"])
async def session(request: pytest.FixtureRequest) -> AsyncIterator[AsyncSession]:
    """Yield a session of the application's role and one of the owner's role, in a transaction that is rolled back."""
    roles: dict[str, async_sessionmaker[AsyncSession]] = {"application": sessions, "owner": owner_sessions("catalog")}
    async with roles[request.param]() as opened:
        yield opened
        await opened.rollback()


async def change_status(session: AsyncSession, before: OrderStatus, after: OrderStatus) -> bool:
    """Insert an order with one status and change it with SQL. Return whether the database accepted the change."""
    order_id = uuid4()
    await session.execute(insert(Order).values(id=order_id, status=before, **ORDER | {"number": f"{before}-{after}"}))
    change = text("UPDATE orders SET status = :status WHERE id = :id")
    try:
        async with session.begin_nested():
            await session.execute(change, {"status": after, "id": order_id})
    except IntegrityError as refused:
        return f"cannot change from {before} to {after}" not in str(refused)
    return True


async def test_status_when_changed_with_sql_then_only_the_transitions_of_the_table_are_possible(
    session: AsyncSession,
) -> None:
    for before, after in product(OrderStatus, OrderStatus):
        allowed = before == after or after in ORDER_TRANSITIONS[before]
        assert await change_status(session, before, after) == allowed, (before, after)


async def test_tables_of_statuses_when_compared_with_the_code_are_equal(session: AsyncSession) -> None:
    statuses = (await session.execute(select(OrderStatusRow.status))).scalars().all()
    assert sorted(statuses) == sorted(OrderStatus)
    rows = await session.execute(select(OrderStatusTransition.from_status, OrderStatusTransition.to_status))
    assert {tuple(row) for row in rows} == {
        (before, after) for before in OrderStatus for after in ORDER_TRANSITIONS[before]
    }


def test_documented_transitions_when_compared_with_the_code_are_equal() -> None:
    page = (PROJECT / "docs" / "catalog.md").read_text()
    section = page.partition("## Status of an order")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \|.*\| ([^|]*) \|$", section, re.MULTILINE)
    documented = {before: set(re.findall(r"`(\w+)`", after)) for before, after in rows}
    assert documented == {before: set(after) for before, after in ORDER_TRANSITIONS.items()}


@pytest.mark.parametrize("status", ["", "Pending", "shipped", "partially_refunded"])
async def test_status_when_it_is_unknown_then_no_order_has_it(session: AsyncSession, status: str) -> None:
    with pytest.raises(IntegrityError):
        await session.execute(
            text(
                "INSERT INTO orders (id, number, customer_id, status, amount, currency, expires_at)"
                " VALUES (gen_random_uuid(), '2222-2222', 'c', :status, 1, 'NGN', now())"
            ),
            {"status": status},
        )


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("orders", "currency", "ngn"),
        ("orders", "currency", ""),
        ("products", "currency", "NAIRA"),
        ("products", "name", ""),
        ("order_items", "unit_price", -1),
        ("order_items", "name", ""),
    ],
)
async def test_row_when_a_value_is_impossible_then_the_database_refuses_it(
    session: AsyncSession, table: str, column: str, value: object
) -> None:
    product_id, order_id = await add_product(session, None), uuid4()
    await session.execute(insert(Order).values(id=order_id, **ORDER))
    await session.execute(
        insert(OrderItem).values(order_id=order_id, variant_id=product_id, product_id=product_id, **ITEM)
    )
    assert await session.scalar(select(Product.name).where(Product.id == product_id)) == "Cup"
    with pytest.raises(IntegrityError, match=f"ck_{table}_{column}"):
        await session.execute(text(f"UPDATE {table} SET {column} = :value"), {"value": value})
