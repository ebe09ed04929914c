"""payments: takes the money."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from kit.app import create_app
from kit.db.migrations import schema_check
from services.payments import callback, clients, held_routes, notice_routes, refund_routes, routes, webhooks
from services.payments.cards import routes as card_routes
from services.payments.db import claims, engine
from services.payments.disputes import routes as dispute_routes
from services.payments.ledger import routes as ledger_routes
from services.payments.settings import settings


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    yield
    await clients.close()
    await claims.close()
    await engine.dispose()


app = create_app(
    "payments",
    settings,
    description="Starts payments at Paystack, receives its webhooks, and says how each payment stands.",
    checks={"database": schema_check("services.payments", engine)},
    lifespan=lifespan,
    body_limits={webhooks.PATH: webhooks.MAX_BODY_BYTES},
)
app.include_router(callback.router)
app.include_router(webhooks.router)
# Before the payments themselves: /payments/disputes is no payment's reference.
app.include_router(dispute_routes.router)
app.include_router(notice_routes.router)
app.include_router(card_routes.router)
app.include_router(ledger_routes.router)
app.include_router(routes.router)
app.include_router(refund_routes.router)
app.include_router(held_routes.router)
