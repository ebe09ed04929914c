"""Searches and lists with filters have connections of their own: other requests are answered while all of these are in use."""

import asyncio
from contextlib import AsyncExitStack
from uuid import UUID

import httpx

from services.catalog.db import SEARCH_CONNECTIONS, searching_engine
from tests.factories.catalog import Headers, place_order, post_product

FILTERS: list[dict[str, str | int]] = [
    {"q": "mug"}, {"availability": "low"}, {"tag": "blue"}, {"min_price": 1, "currency": "NGN"},
    {"category": "no-such"}, {"currency": "GHS"},
]  # fmt: skip


async def test_requests_when_searches_use_all_their_connections_then_only_searches_are_refused(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    mug = await post_product(client, editor)

    async def search() -> set[tuple[int, str | None]]:
        answers = await asyncio.gather(*(client.get("/catalog/products", params=filters) for filters in FILTERS))
        return {(answer.status_code, answer.json().get("code")) for answer in answers}

    assert await search() == {(200, None)}
    async with AsyncExitStack() as busy:
        for _ in range(SEARCH_CONNECTIONS):
            await busy.enter_async_context(searching_engine.connect())
        for url in (f"/catalog/products/{mug['id']}", "/catalog/products", "/catalog/products?sort=name&limit=1"):
            assert (await client.get(url)).status_code == 200
        assert (await place_order(client, customer, {UUID(mug["id"]): 1})).status_code == 201
        assert await search() == {(503, "unavailable")}
    assert await search() == {(200, None)}
