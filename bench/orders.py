"""Orders compared with the same statements in an app without a framework, for many products and for one that everybody wants; and how much
many attempts of one account slow the orders of another one."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit
from uuid import uuid4

import httpx

from bench.auth import MeasuredWork
from bench.load import Round, Target, run, send_requests
from bench.processes import running
from contracts.tokens import ADMIN_SCOPES
from dev.chaos.tokens import Signer
from dev.process import ports
from dev.stack.stack import Stack

PATH = "/catalog/orders"
CONNECTIONS = 32
PRODUCTS = 64
STOCK = 1_000_000_000
ORDERS_PER_ACCOUNT = 9
"""Fewer than the pending orders that an account may have."""

MAX_RATE = 1500
"""Number of requests that are prepared per second of a round. A round that has sent all of them ends early."""

ATTEMPTS, ATTEMPT_CONNECTIONS = 1500, 50
OTHER_ORDERS = 20


@asynccontextmanager
async def orders(stack: Stack, executor: Executor) -> AsyncIterator[list[MeasuredWork]]:
    """Yield the orders of catalog and of an app that runs the same statements on the same tables: of many products, then of one."""
    products = await create_products(stack, PRODUCTS + 2)
    (port,) = ports.reserve_free(1)
    environment = {
        "BENCH_DATABASE_URL": stack.env["CATALOG_DATABASE_URL"],
        "BENCH_PORT": str(port),
        "TOKEN_ISSUER": stack.env["TOKEN_ISSUER"],
        "JWKS_URL": stack.env["JWKS_URL"],
    }
    many, (own, other) = products[:PRODUCTS], products[PRODUCTS:]
    async with running("orders app", [sys.executable, "-m", "bench.orders_app"], environment, port):
        yield [
            MeasuredWork("orders", _sending(stack, port_of(stack), many, executor)),
            MeasuredWork("orders, same statements on asyncpg", _sending(stack, port, many, executor)),
            MeasuredWork("orders of one product", _sending(stack, port_of(stack), [own], executor)),
            MeasuredWork("orders of one product, same statements on asyncpg", _sending(stack, port, [other], executor)),
        ]
    ports.release([port])


async def create_products(stack: Stack, count: int) -> list[str]:
    """Create products with much stock, and return their ids."""
    headers = signer_of(stack).bearer("operator", frozenset(ADMIN_SCOPES))
    body = {"name": "Cup", "price": 50_000, "currency": "NGN", "stock": STOCK}
    async with httpx.AsyncClient(base_url=stack.env["CATALOG_URL"], trust_env=False, timeout=30) as client:
        answers = [await client.post("/catalog/products", json=body, headers=headers) for _ in range(count)]
    return [str(answer.raise_for_status().json()["id"]) for answer in answers]


def signer_of(stack: Stack) -> Signer:
    """Return a signer of access tokens for any account."""
    return Signer(stack.folder / "keys", stack.env["AUTH_URL"])


def port_of(stack: Stack) -> int:
    """Return the port of the stack's catalog."""
    port = urlsplit(stack.env["CATALOG_URL"]).port
    assert port is not None
    return port


def request_of(authorization: str, product: str) -> bytes:
    """Return the complete HTTP/1.1 request for an order of one unit, with a new idempotency key."""
    body = json.dumps({"items": [{"product_id": product, "quantity": 1}]})
    return (
        f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {authorization}\r\nIdempotency-Key: {uuid4().hex}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def send_orders(keys: Path, issuer: str, port: int, products: Sequence[str], seconds: float) -> Round:
    """Send orders in this process for `seconds`. A new account is used after each ORDERS_PER_ACCOUNT orders."""
    signer, requests = Signer(keys, issuer), []
    for number in range(int(seconds * MAX_RATE)):
        if number % ORDERS_PER_ACCOUNT == 0:
            authorization = signer.bearer()["Authorization"]
        requests.append(request_of(authorization, products[number % len(products)]))
    # Requests of one account are not sent at the same time.
    ordered = [each for first in range(ORDERS_PER_ACCOUNT) for each in requests[first::ORDERS_PER_ACCOUNT]]
    return run(send_requests(ordered, Target(port, PATH, CONNECTIONS), seconds))


def send_attempts(keys: Path, issuer: str, port: int, product: str) -> Round:
    """Send ATTEMPTS orders of one account in this process. After the first ones, the account has as many pending orders as are allowed."""
    authorization = Signer(keys, issuer).bearer()["Authorization"]
    requests = [request_of(authorization, product) for _ in range(ATTEMPTS)]
    return run(send_requests(requests, Target(port, PATH, ATTEMPT_CONNECTIONS), 60))


async def measure_other_account(stack: Stack, executor: Executor, rounds: int) -> tuple[list[float], list[float]]:
    """Measure how many orders per second another account places one after another: alone, and during ATTEMPTS orders of one account."""
    (product,) = await create_products(stack, 1)
    keys, issuer, port = stack.folder / "keys", stack.env["AUTH_URL"], port_of(stack)
    alone, during = [], []
    async with httpx.AsyncClient(base_url=stack.env["CATALOG_URL"], trust_env=False, timeout=30) as client:
        signer = signer_of(stack)

        async def order() -> float:
            headers = signer.bearer() | {"Idempotency-Key": uuid4().hex}
            began = time.perf_counter()
            body = {"items": [{"product_id": product, "quantity": 1}]}
            (await client.post(PATH, json=body, headers=headers)).raise_for_status()
            return time.perf_counter() - began

        await order()
        for _ in range(rounds):
            alone.append(1 / median([await order() for _ in range(OTHER_ORDERS)]))
            loop = asyncio.get_running_loop()
            attempts = loop.run_in_executor(executor, send_attempts, keys, issuer, port, product)
            took = []
            while not attempts.done():
                took.append(await order())
            await attempts
            during.append(1 / median(took))
    return alone, during


def _sending(
    stack: Stack, port: int, products: Sequence[str], executor: Executor
) -> Callable[[float], Awaitable[Round]]:
    keys, issuer = stack.folder / "keys", stack.env["AUTH_URL"]

    async def work(seconds: float) -> Round:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(executor, send_orders, keys, issuer, port, products, seconds)

    return work
