"""The least that an order can cost: one ASGI app without a framework, under the server of the services, with the same check of access
tokens.

It runs the same statements on asyncpg. It validates no field, has no rate limits, logs nothing and counts nothing.
"""

import json
import os
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import uvicorn

from bench import orders_queries as queries
from kit.auth import TokenVerifier, bearer_token
from kit.cli.processes import SERVER_PROTOCOL
from kit.jwks import jwks_fetcher

Message = MutableMapping[str, Any]
CONNECTIONS = 15
"""As many as catalog has."""

state: dict[str, Any] = {}


async def place(customer: str, email: str | None, key: str, body: bytes) -> bytes:
    """Place the order and return the response."""
    (line,) = json.loads(body)["items"]
    product, quantity = line["product_id"], line["quantity"]
    async with state["pool"].acquire(timeout=10) as database, database.transaction():
        row = await database.fetchrow(queries.LINES, [product], timeout=10)
        if row is None or row["orderable"] < quantity:
            raise LookupError("there is no such product, or not enough of it")
        await database.execute(queries.LOCK, f"orders of {customer}", timeout=10)
        held = await database.fetchrow(queries.HELD, customer, None, 10, 50, [product], "place_order", key, timeout=10)
        if held["pending"] >= 10 or held["repeated"]:
            raise LookupError("too many orders, or a repeated request")
        order, now = uuid4(), datetime.now(UTC)
        reserved = await database.fetch(queries.RESERVE, [product], [quantity], order, customer, timeout=10)
        if not reserved:
            raise LookupError("sold out")
        expires = now + timedelta(minutes=15)
        answer = {
            "id": str(order),
            "number": (number := secrets.token_hex(4)),
            "status_token": "",
            "customer_id": customer,
            "customer": {"id": customer, "email": email, "name": None, "phone": None, "external_id": None},
            "status": "pending",
            "amount": row["price"] * quantity,
            "currency": row["currency"],
            "created_at": now.isoformat(),
            "expires_at": expires.isoformat(),
            "payment_reference": None,
            "refunded_amount": 0,
            "refunded_in_other_currency": None,
            "partially_refunded": False,
            "delivered_at": None,
            "items": [
                {
                    "product_id": product,
                    "variant_id": product,
                    "sku": row["sku"],
                    "options": json.loads(row["options"]),
                    "name": row["name"],
                    "slug": row["slug"],
                    "quantity": quantity,
                    "unit_price": row["price"],
                    "amount": row["price"] * quantity,
                    "kind": row["kind"],
                    "packed": 0,
                    "shipped": 0,
                    "delivered": 0,
                }
            ],
            "address": None,
            "cancel_reason": None,
            "metadata": {},
            "fulfilments": [],
            "payments": [],
        }
        text = json.dumps(answer)
        values = (order, customer, email, row["price"] * quantity, row["currency"], now, expires)
        item = (
            row["id"],
            row["product_id"],
            row["name"],
            row["slug"],
            row["sku"],
            row["options"],
            quantity,
            row["price"],
        )
        await database.execute(queries.INSERT, *values, *([value] for value in item), key, text, number, timeout=10)
    return text.encode()


async def app(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Answer POST requests with an order. Everything that is not right is answered with 500."""
    if scope["type"] == "lifespan":
        await _live(receive, send)
        return
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    claims = await state["verifier"].verify(bearer_token(scope["headers"]))
    key = next(value for name, value in scope["headers"] if name == b"idempotency-key").decode()
    answer = await place(claims.sub, claims.email, key, body)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 201, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


async def _live(receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]) -> None:
    await receive()
    url = os.environ["BENCH_DATABASE_URL"]
    state["pool"] = await asyncpg.create_pool(url, min_size=CONNECTIONS, max_size=CONNECTIONS, timeout=10)
    issuer = os.environ["TOKEN_ISSUER"]
    state["verifier"] = TokenVerifier(jwks_fetcher(os.environ["JWKS_URL"]), issuer=issuer, audience="shop")
    await send({"type": "lifespan.startup.complete"})
    await receive()
    state["pool"].terminate()
    await send({"type": "lifespan.shutdown.complete"})


if __name__ == "__main__":
    uvicorn.run(
        "bench.orders_app:app",
        port=int(os.environ["BENCH_PORT"]),
        log_config=None,
        access_log=False,
        lifespan="on",
        http=SERVER_PROTOCOL,
        ws="none",
    )
