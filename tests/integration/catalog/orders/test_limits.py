"""One customer cannot hold more than a part of the stock without paying, and the limits are exact."""

import asyncio
from collections import Counter

import httpx
import pytest
from sqlalchemy import text

from services.catalog.db import sessions
from services.catalog.orders import limits, place
from services.catalog.orders.limits import largest_reservation
from services.catalog.settings import settings
from tests.factories.catalog import Headers, create_order, create_product, place_order
from tests.factories.events import PRICE, payment_started, payment_succeeded
from tests.fixtures.catalog import handle_events, stock_of
from tests.fixtures.log_lines import log_lines
from tests.fixtures.tokens import Signer


@pytest.fixture(autouse=True)
def _limits_of_production(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the default limits: the environment of the tests has no limits."""
    changes = {"catalog_max_pending_orders": 10, "catalog_max_reserved_share": 0.5}
    for module in (limits, place):
        monkeypatch.setattr(module, "settings", settings.model_copy(update=changes))


@pytest.mark.parametrize(
    ("on_hand", "share", "units"), [(0, 0.5, 10), (19, 0.5, 10), (21, 0.5, 10), (100, 0.5, 50), (5, 1, 10)]
)
def test_largest_reservation_when_the_stock_is_small_then_ten_units(on_hand: int, share: float, units: int) -> None:
    assert largest_reservation(on_hand, share) == units


async def test_place_when_the_customer_has_ten_pending_orders_then_409_until_one_is_paid_or_cancelled(
    client: httpx.AsyncClient, customer: Headers, other_customer: Headers
) -> None:
    cup = await create_product(None)
    orders = [await create_order(client, customer, {cup: 1}) for _ in range(10)]
    refused = await place_order(client, customer, {cup: 1})
    assert (refused.status_code, refused.json()["code"], refused.json()["limit"]) == (
        409,
        "too_many_pending_orders",
        10,
    )
    assert "Pay for one of them or cancel it" in refused.json()["detail"]
    assert (await place_order(client, other_customer, {cup: 1})).status_code == 201
    await client.post(f"/catalog/orders/{orders[0]}/cancel", headers=customer)
    orders.append(await create_order(client, customer, {cup: 1}))
    assert (await place_order(client, customer, {cup: 1})).status_code == 409
    await handle_events(payment_succeeded(orders[1], "r1", PRICE))
    assert (await place_order(client, customer, {cup: 1})).status_code == 201


async def test_place_when_a_customer_sends_40_orders_at_once_then_exactly_ten_are_placed(
    client: httpx.AsyncClient, customer: Headers
) -> None:
    cup, limit = await create_product(None), asyncio.Semaphore(15)

    async def order() -> int:
        async with limit:
            return (await place_order(client, customer, {cup: 1})).status_code

    assert Counter(await asyncio.gather(*(order() for _ in range(40)))) == {201: 10, 409: 30}


async def test_place_when_one_customer_orders_the_whole_stock_then_half_of_it_is_left(
    client: httpx.AsyncClient, customer: Headers, other_customer: Headers
) -> None:
    cup = await create_product(100)
    assert (await place_order(client, customer, {cup: 30})).status_code == 201
    refused = await place_order(client, customer, {cup: 21})
    assert (refused.status_code, refused.json()["code"]) == (409, "reservation_limit_reached")
    assert refused.json()["products"] == [{"product_id": str(cup), "name": "Cup", "wanted": 21, "left": 20}]
    assert "You can order at most: 20 × Cup. Pay for your pending orders first" in refused.json()["detail"]
    limit = asyncio.Semaphore(10)

    async def order() -> int:
        async with limit:
            return (await place_order(client, customer, {cup: 5})).status_code

    assert Counter(await asyncio.gather(*(order() for _ in range(9)))) == {201: 4, 409: 5}
    assert await stock_of(cup) == 50
    assert (await place_order(client, other_customer, {cup: 50})).status_code == 201


async def test_place_when_the_stock_is_small_then_ten_units_can_always_be_reserved(
    client: httpx.AsyncClient, customer: Headers
) -> None:
    cup = await create_product(10)
    assert (await place_order(client, customer, {cup: 10})).status_code == 201


async def test_place_when_guests_of_one_network_have_50_pending_orders_then_409_and_accounts_can_order(
    client: httpx.AsyncClient, customer: Headers, signer: Signer
) -> None:
    cup = await create_product(None)
    guests = [signer.headers(f"guest-{n}", email=None) for n in range(6)]
    for number in range(50):
        await create_order(client, guests[number // 10], {cup: 1})
    refused = await place_order(client, guests[5], {cup: 1})
    assert (refused.status_code, refused.json()["code"], refused.json()["limit"]) == (
        409,
        "too_many_pending_orders",
        50,
    )
    assert (await place_order(client, customer, {cup: 1})).status_code == 201


async def test_place_when_a_guests_order_is_reserved_only_by_its_payment_then_it_does_not_count_for_the_network(
    client: httpx.AsyncClient, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "GUEST_ORDERS_PER_LIMIT_ADDRESS", 1)
    cup = await create_product(None)
    first, second = (signer.headers(f"guest-{n}", email=None) for n in range(2))
    order = await create_order(client, first, {cup: 1})
    await handle_events(payment_started(order, "r1"))
    assert (await place_order(client, second, {cup: 1})).status_code == 409
    async with sessions.begin() as session:
        await session.execute(text("UPDATE orders SET first_expires_at = now() - interval '1 s'"))
    assert (await place_order(client, second, {cup: 1})).status_code == 201


async def test_place_when_the_order_has_more_than_1000_units_then_422(
    client: httpx.AsyncClient, customer: Headers
) -> None:
    cup, tea = await create_product(None, price=100), await create_product(None, price=100)
    refused = await place_order(client, customer, {cup: 1000, tea: 1})
    assert (refused.status_code, refused.json()["code"]) == (422, "too_many_units")
    assert (await place_order(client, customer, {cup: 999, tea: 1})).status_code == 201


async def test_place_when_units_run_low_then_it_is_logged_once(
    client: httpx.AsyncClient, customer: Headers, caplog: pytest.LogCaptureFixture
) -> None:
    cup = await create_product(8)
    for _ in range(3):
        await create_order(client, customer, {cup: 2})
    low = [line for line in log_lines(caplog) if line["event"] == "stock low"]
    assert [(message["product_id"], message["left"]) for message in low] == [(str(cup), 4)]


async def test_backorder_when_a_limit_is_set_then_that_many_more_units_can_be_ordered(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    cup = await create_product(1)
    url = f"/catalog/products/{cup}/stock"
    changed = await client.patch(url, json={"backorder_limit": 3}, headers=editor)
    assert (changed.status_code, changed.json()["backorder_limit"]) == (200, 3)
    assert (await client.get(f"/catalog/products/{cup}", params={"include": "stock"})).json()["stock"] == 4
    order = await create_order(client, customer, {cup: 3})
    assert (await place_order(client, customer, {cup: 2})).status_code == 409
    await handle_events(payment_succeeded(order, "r1", 3 * PRICE))
    level = (await client.get(url, headers=editor)).json()
    assert (level["on_hand"], level["reserved"], level["available"]) == (1, 3, 0)
    assert (await client.patch(url, json={"backorder_limit": 3}, headers=customer)).status_code == 403
    unlimited = await create_product(None)
    missing = await client.patch(f"/catalog/products/{unlimited}/stock", json={"backorder_limit": 3}, headers=editor)
    assert (missing.status_code, missing.json()["code"]) == (404, "stock_not_found")


async def test_list_products_when_filtered_by_availability_then_only_those_are_listed(
    client: httpx.AsyncClient,
) -> None:
    units = {"many": 6, "few": 5, "none": 0, "unlimited": None}
    for name, stock in units.items():
        await create_product(stock, name=name)
    found = {}
    for availability in ("in_stock", "low", "out"):
        page = (await client.get("/catalog/products", params={"availability": availability})).json()
        found[availability] = sorted(item["name"] for item in page["items"])
    assert found == {"in_stock": ["many", "unlimited"], "low": ["few"], "out": ["none"]}
