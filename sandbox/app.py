import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI
from starlette.responses import JSONResponse

from sandbox import checkout, errors, script, transactions
from sandbox.courier import Courier
from sandbox.faults import Faults
from sandbox.integration import Integration, Merchant
from sandbox.settings import Settings
from sandbox.store import Store

ABOUT = """Stands in for Paystack on your own machine: the same calls, a checkout page and signed webhooks.
`/sandbox/…` lets a script act as the payer and as bad weather; it asks for no key, so keep it to yourself."""


BODY_LIMIT = 2 * 1024 * 1024
"""Bytes; twice what a receiver of webhooks takes, so that a script can send it too much."""


def create_app(settings: Settings) -> FastAPI:
    store = Store(settings.database)
    courier = Courier(store, settings.webhook_url, settings.time_scale)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await store.open()
        delivering = asyncio.create_task(courier.run())
        try:
            yield
        finally:
            delivering.cancel()
            with suppress(asyncio.CancelledError):
                await delivering
            await store.close()

    app = FastAPI(title="Paystack sandbox", description=ABOUT, lifespan=lifespan, max_body_size=BODY_LIMIT)
    app.state.integration = Integration(settings, store, courier, Faults())
    errors.install(app)
    app.include_router(transactions.router)
    app.include_router(script.router)
    app.include_router(checkout.router)

    @app.get("/livez", tags=["Health"])
    async def livez() -> JSONResponse:
        return JSONResponse({"status": "ok"})

    @app.get("/readyz", tags=["Health"])
    async def readyz(merchant: Merchant) -> JSONResponse:
        await merchant.store.run(lambda connection: connection.execute("SELECT 1").fetchone())
        return JSONResponse({"status": "ok"})

    return app
