"""Create products and orders in the catalog database."""

from typing import Any
from uuid import UUID, uuid4

import httpx
from sqlalchemy.ext.asyncio import AsyncSession

from kit.audit.actor import Actor
from services.catalog.db import sessions
from services.catalog.models import Product, Variant
from services.catalog.statuses import ProductKind
from services.catalog.stock.edit import create_level
from tests.factories.events import PRICE

Headers = dict[str, str]
MUG = {"name": "Blue Mug", "price": 150_000, "currency": "NGN", "stock": 5}
"""A valid request body for a new product."""
ADDRESS: dict[str, Any] = {
    "name": "Ada Obi",
    "lines": ["12 Broad Street", "Flat 3"],
    "city": "Lagos",
    "region": "Lagos State",
    "postal_code": "101233",
    "country": "NG",
    "phone": "+234 801 234 5678",
}
"""A valid address in a request for an order."""
ANY_VERSION = {"If-Match": "*"}
"""The header of a change that does not depend on the version of the product."""


async def create_product(
    stock: int | None = None,
    *,
    price: int = PRICE,
    currency: str = "NGN",
    name: str = "Cup",
    kind: str = ProductKind.DIGITAL,
) -> UUID:
    """Insert a product and return its id. Without `stock` it is unlimited."""
    async with sessions.begin() as session:
        return await add_product(session, stock, price=price, currency=currency, name=name, kind=kind)


async def add_product(
    session: AsyncSession,
    stock: int | None,
    *,
    price: int = PRICE,
    currency: str = "NGN",
    name: str = "Cup",
    kind: str = ProductKind.DIGITAL,
) -> UUID:
    """Insert a product with its variant and its stock in this transaction, and return its id."""
    product = Product(id=uuid4(), slug=f"p-{uuid4().hex}", name=name, price=price, currency=currency, kind=kind)
    product.variants = [Variant(id=product.id)]
    session.add(product)
    await session.flush()
    if stock is not None:
        await create_level(session, product.id, stock, Actor("test"))
    return product.id


async def post_product(client: httpx.AsyncClient, editor: Headers, **changes: Any) -> dict[str, Any]:
    """Create a product over HTTP, like MUG with `changes`, and return the response."""
    response = await client.post("/catalog/products", json=MUG | changes, headers=editor)
    assert response.status_code == 201, response.text
    body: dict[str, Any] = response.json()
    return body


async def place_order(
    client: httpx.AsyncClient,
    headers: Headers,
    quantities: dict[UUID, int],
    key: str | None = None,
    address: dict[str, Any] | None = None,
    **fields: Any,
) -> httpx.Response:
    """Request an order over HTTP, with `key` as Idempotency-Key, and return the response. An `address` is needed for shipped products.
    `fields` are further fields of the request.
    """
    items = [{"product_id": str(product_id), "quantity": quantity} for product_id, quantity in quantities.items()]
    sent = {**headers, "Idempotency-Key": key} if key else headers
    body = {"items": items, **fields} if address is None else {"items": items, "address": address, **fields}
    return await client.post("/catalog/orders", json=body, headers=sent)


async def fulfil(
    client: httpx.AsyncClient, headers: Headers, order_id: UUID, quantities: dict[UUID, int], **fields: object
) -> httpx.Response:
    """Request a step with units of an order as staff, and return the response. `key` in `fields` is the Idempotency-Key."""
    key = fields.pop("key", None)
    items = [{"product_id": str(product_id), "quantity": quantity} for product_id, quantity in quantities.items()]
    sent = {**headers, "Idempotency-Key": str(key)} if key else headers
    return await client.post(f"/catalog/orders/{order_id}/fulfilments", json={"items": items, **fields}, headers=sent)


async def create_order(
    client: httpx.AsyncClient, headers: Headers, quantities: dict[UUID, int], address: dict[str, Any] | None = None
) -> UUID:
    """Place an order over HTTP and return its id."""
    response = await place_order(client, headers, quantities, address=address)
    assert response.status_code == 201, response.text
    return UUID(response.json()["id"])
