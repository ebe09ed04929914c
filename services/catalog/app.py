"""The catalog: products, their stock, and the orders for them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from kit.app import create_app
from kit.auth import AuthState, TokenVerifier, fetch_jwks
from kit.db.migrations import schema_check
from services.catalog.db import engine
from services.catalog.routes import router
from services.catalog.settings import settings


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[AuthState]:
    keys = fetch_jwks(settings.jwks_url)
    yield AuthState(verifier=TokenVerifier(keys, issuer=settings.token_issuer, audience=settings.token_audience))
    await engine.dispose()


app = create_app(
    "catalog",
    settings,
    description="Products, stock, and orders at the price of the moment. Money is integer subunits; times are UTC.",
    checks={"database": schema_check("services.catalog", engine)},
    lifespan=lifespan,
)
app.include_router(router)
