"""The HTTP service of catalog: products, categories, stock and orders."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from kit.app import create_app
from kit.audit.routes import audit_router
from kit.auth import AuthState, TokenVerifier
from kit.db.schema import schema_check
from kit.http.rate_limit import TokenBuckets
from kit.jwks import jwks_fetcher
from kit.revocations import Revocations, revocations_fetcher, revocations_url
from services.catalog.categories import routes as categories
from services.catalog.categories.transaction import TreeQueueState
from services.catalog.customers import routes as customers
from services.catalog.db import engine, reading, reading_engine, searching_engine
from services.catalog.fulfilment import routes as fulfilment
from services.catalog.models import AuditLogEntry
from services.catalog.orders import deliveries, note_routes, status, status_page
from services.catalog.orders import routes as orders
from services.catalog.orders.status_tokens import status_tokens
from services.catalog.orders.transaction import OrderQueueState
from services.catalog.products import routes as products
from services.catalog.products.find import ProductReads, product_reads
from services.catalog.settings import settings
from services.catalog.stock import routes as stock
from services.catalog.tags import routes as tags
from services.catalog.turns import TurnQueue
from services.catalog.variants import routes as variants


class CatalogState(AuthState, OrderQueueState, TreeQueueState, status.StatusLimitState):
    """The objects that all requests of the process share."""

    product_reads: ProductReads


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[CatalogState]:
    """Create the objects that requests share. Close the database connections at shutdown."""
    status_tokens()  # Derive the key now: the first call takes 50 ms of CPU time.
    fetch_keys = jwks_fetcher(settings.jwks_url)
    revocations = Revocations(revocations_fetcher(settings.revocations_url or revocations_url(settings.jwks_url)))
    verifier = TokenVerifier(
        fetch_keys,
        issuer=settings.token_issuer,
        audience=settings.token_audience,
        is_revoked=revocations.is_revoked,
    )
    async with verifier.keys.refreshing(), revocations.polling():
        yield CatalogState(
            verifier=verifier,
            product_reads=product_reads(),
            # A third of the connections is left for other writes.
            order_queue=TurnQueue(settings.database_connections * 2 // 3),
            tree_queue=TurnQueue(1),
            status_requests=TokenBuckets(status.REQUESTS_PER_MINUTE),
        )
    await engine.dispose()
    await reading_engine.dispose()
    await searching_engine.dispose()


app = create_app(
    "catalog",
    settings,
    description="Products, categories, stock and orders. Amounts are integers in subunits of the currency (kobo, pesewa, cent). "
    "Times are UTC.",
    checks={"database": schema_check("services.catalog", engine)},
    lifespan=lifespan,
    # The URL contains a password, and all processes of the service have it: no further secret has to be configured.
    cursor_secret=settings.catalog_database_url.get_secret_value(),
    routers=[
        products.read_router,
        products.router,
        categories.read_router,
        categories.router,
        tags.read_router,
        tags.router,
        stock.router,
        variants.router,
        status.router,
        status_page.router,
        orders.router,
        fulfilment.router,
        note_routes.router,
        deliveries.router,
        customers.router,
        audit_router("/catalog", AuditLogEntry, reading),
    ],
)
