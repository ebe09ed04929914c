"""The limit of the product routes: the same SQL on asyncpg, on the same server with the same middleware as a service.

At its start the app takes from catalog's code the text of the statements with their arguments. For each request it takes a connection of
asyncpg's pool, which has as many as catalog, and runs the statement. Postgres writes the JSON of each product, so the app joins the
texts and answers. It parses no parameter, reads no scope, makes no cursor and no ETag, and uses no SQLAlchemy.
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
from kit.db.statements import Statement
from kit.settings import load_settings
from services.catalog.products.filters import ProductFilter
from services.catalog.products.lists import BY_KEYS, list_statement
from services.catalog.products.schemas import ProductSort
from services.catalog.settings import CatalogSettings

LIMIT = 20
settings = load_settings(CatalogSettings)


class State(TypedDict):
    """The attributes of `request.state`."""

    pool: asyncpg.Pool


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[State]:
    url, size = settings.catalog_database_url.get_secret_value(), settings.database_reading_connections
    async with asyncpg.create_pool(url, min_size=size, max_size=size, timeout=5) as pool:
        yield State(pool=pool)


app = create_app("limit", settings, description="Runs SQL.", checks={}, lifespan=lifespan, cursor_secret="")


def page_statement(filters: ProductFilter) -> tuple[str, Sequence[object]]:
    """Return the statement of a first page and its arguments."""
    statement: Statement = list_statement(filters.shape(), ProductSort.NEWEST, continued=False)
    return statement.sql, statement.arguments({**filters.values(), "limit": LIMIT + 1})


LIST, SEARCH = page_statement(ProductFilter()), page_statement(ProductFilter(q=QUERY))
ONE = BY_KEYS.sql, BY_KEYS.arguments({"ids": [PRODUCT_ID], "slugs": []})


async def documents(request: Request, statement: tuple[str, Sequence[object]]) -> list[str]:
    """Run a statement, and return the column `document` of its rows."""
    sql, arguments = statement
    pool: asyncpg.Pool = request.state.pool
    return [row["document"] for row in await pool.fetch(sql, *arguments, timeout=10)]


@app.get("/list")
async def list_products(request: Request) -> Response:
    found = ",".join((await documents(request, LIST))[:LIMIT])
    return Response(f'{{"items":[{found}],"next_cursor":null}}', media_type="application/json")


@app.get("/search")
async def search_products(request: Request) -> Response:
    found = ",".join((await documents(request, SEARCH))[:LIMIT])
    return Response(f'{{"items":[{found}],"next_cursor":null}}', media_type="application/json")


@app.get("/product")
async def get_product(request: Request) -> Response:
    (found,) = await documents(request, ONE)
    return Response(found, media_type="application/json")


if __name__ == "__main__":
    serve_app("bench.products_app:app", settings, int(os.environ["BENCH_PORT"]))
