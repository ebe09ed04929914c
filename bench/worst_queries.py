"""The response times of orders and product reads while 32 connections send the slowest lists, compared with those on a quiet server."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from itertools import count, cycle, islice
from statistics import quantiles
from urllib.parse import urlencode
from uuid import uuid4

import httpx

from bench import orders
from bench.load import Round, Target, run, send_requests
from bench.routes import Refused
from dev.stack.stack import Stack

CONNECTIONS = 32
QUIET_SHARE = 0.25
"""The quiet part takes this share of the time of the loaded one."""

QUERIES: list[dict[str, str | int]] = [
    {"q": "made to last", "limit": 100},
    {"q": "e"},
    {"q": "a series number of last easy", "sort": "price", "limit": 100},
    {"q": "nothingmatchesthis"},
    {"availability": "low", "limit": 100},
    {"availability": "out", "sort": "name"},
    {"currency": "GHS", "sort": "-price"},
    {"tag": "bench-7", "availability": "low"},
    {"max_price": 0},
    {"q": "enamel", "tag": "bench-1", "min_price": 1, "sort": "name", "limit": 100},
]
"""Stop words, one letter, many words, no match, and filters that few products pass."""


@dataclass(slots=True)
class WorstQueries:
    """Response times in seconds by kind of request, on the quiet server and during the queries, and how many of these were answered."""

    quiet: dict[str, list[float]] = field(default_factory=dict)
    loaded: dict[str, list[float]] = field(default_factory=dict)
    queries: Round | None = None

    def ratios(self) -> dict[str, float]:
        """Return the 99th percentile on the quiet server divided by that during the queries, for each kind."""
        return {kind: _p99(took) / _p99(self.loaded[kind]) for kind, took in self.quiet.items()}


def _p99(seconds: list[float]) -> float:
    return quantiles(seconds, n=100)[98]


def send_queries(port: int, seconds: float) -> Round:
    """Send the slowest lists again and again, in this process. Those that have waited too long are answered with 503."""
    paths = [f"/catalog/products?{urlencode(query)}" for query in QUERIES]
    requests = [f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode() for path in paths]
    most = islice(cycle(requests), int(seconds * 2000))
    return run(send_requests(list(most), Target(port, "/catalog/products", CONNECTIONS), seconds))


async def measure(stack: Stack, executor: Executor, seconds: float) -> WorstQueries:
    """Measure the response times of orders, of single products and of the first page. Raises Refused if one of them is refused."""
    products = await orders.create_products(stack, 8)
    found, signer, loop = WorstQueries(), orders.signer_of(stack), asyncio.get_running_loop()
    async with httpx.AsyncClient(base_url=stack.env["CATALOG_URL"], trust_env=False, timeout=30) as client:

        async def order(number: int) -> httpx.Response:
            body = {"items": [{"product_id": products[number % len(products)], "quantity": 1}]}
            headers = signer.bearer() | {"Idempotency-Key": uuid4().hex}
            return await client.post(orders.PATH, json=body, headers=headers)

        async def product(number: int) -> httpx.Response:
            return await client.get(f"/catalog/products/{products[number % len(products)]}")

        async def page(_: int) -> httpx.Response:
            return await client.get("/catalog/products")

        kinds = {"orders": order, "one product": product, "list of products": page}

        async def send_all(duration: float) -> dict[str, list[float]]:
            until = time.perf_counter() + duration
            return dict(
                zip(kinds, await asyncio.gather(*(_times(send, until) for send in kinds.values())), strict=True)
            )

        found.quiet = await send_all(seconds * QUIET_SHARE)
        queries = loop.run_in_executor(executor, send_queries, orders.port_of(stack), seconds)
        found.loaded = await send_all(seconds)
        found.queries = await queries
    return found


async def _times(send: Callable[[int], Awaitable[httpx.Response]], until: float) -> list[float]:
    """Send one request after another until a time of the clock. Return their response times, without the first ones, which warm up."""
    took: list[float] = []
    for number in count():
        began = time.perf_counter()
        if began > until and len(took) > 10:
            return took[5:]
        answer = await send(number)
        took.append(time.perf_counter() - began)
        if not answer.is_success:
            raise Refused(f"{answer.request.method} {answer.request.url} was answered with {answer.status_code}")
    raise AssertionError
