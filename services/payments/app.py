"""payments: takes the money."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from kit.app import create_app
from kit.db.migrations import schema_check
from services.payments import clients, routes
from services.payments.cards import routes as card_routes
from services.payments.checkout import return_page
from services.payments.db import claims, engine
from services.payments.disputes import routes as dispute_routes
from services.payments.holds import routes as held_routes
from services.payments.ledger import routes as ledger_routes
from services.payments.refunds import routes as refund_routes
from services.payments.settings import settings
from services.payments.webhooks import intake
from services.payments.webhooks import routes as notice_routes


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
    body_limits={intake.PATH: intake.MAX_BODY_BYTES},
)
app.include_router(return_page.router)
app.include_router(intake.router)
# Before the payments themselves: /payments/disputes is no payment's reference.
app.include_router(dispute_routes.router)
app.include_router(notice_routes.router)
app.include_router(card_routes.router)
app.include_router(ledger_routes.router)
app.include_router(routes.router)
app.include_router(refund_routes.router)
app.include_router(held_routes.router)
