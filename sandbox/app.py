import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.responses import JSONResponse

from sandbox import errors, script
from sandbox.checkout import routes as checkout
from sandbox.clock import Clock
from sandbox.disputes import routes as disputes
from sandbox.disputes import script as dispute_script
from sandbox.disputes.life import DisputeLife
from sandbox.door.faults import Faults
from sandbox.door.slashes import Slashes
from sandbox.integration import Integration, Merchant
from sandbox.refunds import routes as refunds
from sandbox.refunds import script as refund_script
from sandbox.refunds.life import RefundLife
from sandbox.settings import Settings
from sandbox.settlements import routes as settlements
from sandbox.settlements import script as settlement_script
from sandbox.store import Store
from sandbox.transactions import recurring
from sandbox.transactions import routes as transactions
from sandbox.webhooks import routes as events
from sandbox.webhooks.courier import Courier
from sandbox.webhooks.postbox import Postbox
from sandbox.webhooks.queue import SLOW_WAIT

ABOUT = """Stands in for Paystack on your own machine: the same calls, a checkout page and signed webhooks.
`/sandbox/…` lets a script act as the payer and as bad weather; it asks for no key, so keep it to yourself."""


BODY_LIMIT = 2 * 1024 * 1024
"""Bytes; twice what a receiver of webhooks takes, so that a script can send it too much."""


def create_app(settings: Settings) -> FastAPI:
    store = Store(settings.database)
    faults = Faults()
    courier = Courier(store, settings.webhook_url, settings.time_scale)
    postbox = Postbox(settings.key, settings.webhook_url, faults)
    refund_life = RefundLife(postbox, settings.refund_seconds)
    dispute_life = DisputeLife(postbox, SLOW_WAIT * settings.time_scale)
    clock = Clock(store, courier, [refund_life.advance, dispute_life.advance])

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await store.open()
        running = [asyncio.create_task(each.run()) for each in (courier, clock)]
        try:
            yield
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            await store.close()

    app = FastAPIOffline(
        title="Paystack sandbox",
        description=ABOUT,
        lifespan=lifespan,
        max_body_size=BODY_LIMIT,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.integration = Integration(settings, store, courier, faults, postbox, clock, refund_life, dispute_life)
    app.add_middleware(Slashes)
    errors.install(app)
    app.include_router(recurring.router)
    app.include_router(transactions.router)
    app.include_router(refunds.router)
    app.include_router(disputes.router)
    app.include_router(settlements.router)
    app.include_router(events.router)
    app.include_router(script.router)
    app.include_router(refund_script.router)
    app.include_router(dispute_script.router)
    app.include_router(settlement_script.router)
    app.include_router(checkout.router)

    @app.get("/livez", tags=["Health"])
    async def livez() -> JSONResponse:
        return JSONResponse({"status": "ok"})

    @app.get("/readyz", tags=["Health"])
    async def readyz(merchant: Merchant) -> JSONResponse:
        await merchant.store.run(lambda connection: connection.execute("SELECT 1").fetchone())
        return JSONResponse({"status": "ok"})

    return app
