"""What the product routes are compared with: the same SQL on asyncpg, on the same server with the same middleware as a service.

At its start the app takes from catalog's code the text of the statements with their arguments. For each request it takes a connection of
asyncpg's pool, which has as many as catalog, and runs the statement; a search has a second one. Postgres writes the JSON of each product,
so the app joins the texts and answers. It parses no parameter, reads no scope, makes no cursor and no ETag, and uses no SQLAlchemy.
"""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TypedDict

import asyncpg
from fastapi import FastAPI, Request, Response

from bench.products import PRODUCT_ID, QUERY
from kit.app import create_app
from kit.cli.processes import serve_app
from kit.settings import load_settings
from services.catalog.db import searching_engine
from services.catalog.products.filters import ProductFilter
from services.catalog.products.find import BY_KEYS
from services.catalog.products.plans import choose
from services.catalog.products.resolve import resolve
from services.catalog.products.schemas import ProductSort
from services.catalog.products.statements import page_statement as statement_of
from services.catalog.search.words import WORDS
from services.catalog.settings import CatalogSettings

LIMIT = 20
SqlWithArguments = tuple[str, Sequence[object]]
settings = load_settings(CatalogSettings)


class State(TypedDict):
    """The attributes of `request.state`: the pool, and the statements of a list and of a search with their arguments."""

    pool: asyncpg.Pool
    list: SqlWithArguments
    search: SqlWithArguments


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[State]:
    url, size = settings.catalog_database_url.get_secret_value(), settings.database_reading_connections
    async with asyncpg.create_pool(url, min_size=size, max_size=size, timeout=5) as pool:
        listed = await page_statement(ProductFilter())
        searched = await page_statement(ProductFilter(q=QUERY, sort=ProductSort.NEWEST))
        await searching_engine.dispose()
        yield State(pool=pool, list=listed, search=searched)


app = create_app("limit", settings, description="Runs SQL.", checks={}, lifespan=lifespan, cursor_secret="")


async def page_statement(filters: ProductFilter) -> SqlWithArguments:
    """Return the statement of a first page and its arguments."""
    resolved = await resolve(filters, filters.q)
    if resolved is None:
        raise ValueError("the words of the benchmark are in no product")
    plan = choose(resolved, None, LIMIT + 1)
    statement = statement_of(plan.shape)
    return statement.sql, statement.arguments(plan.parameters)


ONE = BY_KEYS.sql, BY_KEYS.arguments({"ids": [PRODUCT_ID], "slugs": []})
WORDS_OF_QUERY = WORDS.sql, WORDS.arguments({"q": QUERY})


async def documents(request: Request, statement: tuple[str, Sequence[object]]) -> list[str]:
    """Run a statement, and return the column `document` of its rows."""
    sql, arguments = statement
    pool: asyncpg.Pool = request.state.pool
    return [row["document"] for row in await pool.fetch(sql, *arguments, timeout=10)]


@app.get("/list")
async def list_products(request: Request) -> Response:
    found = ",".join((await documents(request, request.state.list))[:LIMIT])
    return Response(f'{{"items":[{found}],"next_cursor":null}}', media_type="application/json")


@app.get("/search")
async def search_products(request: Request) -> Response:
    pool: asyncpg.Pool = request.state.pool
    sql, arguments = WORDS_OF_QUERY
    await pool.fetch(sql, *arguments, timeout=10)
    found = ",".join((await documents(request, request.state.search))[:LIMIT])
    return Response(f'{{"items":[{found}],"next_cursor":null}}', media_type="application/json")


@app.get("/product")
async def get_product(request: Request) -> Response:
    (found,) = await documents(request, ONE)
    return Response(found, media_type="application/json")


if __name__ == "__main__":
    serve_app("bench.products_app:app", settings, int(os.environ["BENCH_PORT"]))
