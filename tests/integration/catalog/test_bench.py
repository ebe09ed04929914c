"""What the benchmark's app writes for an order is what catalog itself writes."""

import json
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from bench import orders_app
from services.catalog.settings import settings
from tests.factories.catalog import Headers, create_product, place_order
from tests.fixtures.catalog import stock_differences

INDIVIDUAL = {"id", "number", "status_token", "search", "order_id", "created_at", "expires_at", "key", "fingerprint"}
"""What differs between any two orders. `search` contains the number."""

TABLES = ("orders", "order_items", "stock_movements", "idempotency_keys")


async def test_orders_app_writes_the_same_rows_and_response_as_catalog(
    client: httpx.AsyncClient, customer: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    cup = await create_product(20)
    own = (await place_order(client, customer, {cup: 2}, key=uuid4().hex)).json()
    body = json.dumps({"items": [{"product_id": str(cup), "quantity": 2}]}).encode()
    url = settings.catalog_database_url.get_secret_value()
    async with asyncpg.create_pool(url, min_size=1, max_size=1, timeout=10) as pool:
        monkeypatch.setitem(orders_app.state, "pool", pool)
        email = own["customer"]["email"]
        other = json.loads(await orders_app.place(own["customer_id"], email, uuid4().hex, body))
        assert _without(other) == _without(own)
        for table in TABLES:
            rows = await pool.fetch(f"SELECT * FROM {table}")
            first, second = [_without(dict(row)) for row in rows if row.get("kind") != "received"]
            assert first == second, table
    assert await stock_differences() == []


def _without(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row without what differs between two orders, also in the stored response."""
    found = {name: value for name, value in row.items() if name not in INDIVIDUAL}
    if isinstance(found.get("body"), str):
        found["body"] = _without(json.loads(found["body"]))
    return found
