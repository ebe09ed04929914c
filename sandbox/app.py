import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI
from fastapi_offline import FastAPIOffline
from starlette.responses import JSONResponse

from sandbox import errors
from sandbox.api.trailing_slash import TrailingSlashMiddleware
from sandbox.checkout import routes as checkout
from sandbox.disputes import control_routes as dispute_controls
from sandbox.disputes import routes as disputes
from sandbox.disputes.lifecycle import DisputeLifecycle
from sandbox.faults import control_routes as fault_controls
from sandbox.faults.injector import FaultInjector
from sandbox.integration import routes as integration
from sandbox.pending_charges import control_routes as pending_charge_controls
from sandbox.pending_charges import routes as pending_charges
from sandbox.pending_charges.lifecycle import PendingChargeLifecycle
from sandbox.refunds import control_routes as refund_controls
from sandbox.refunds import routes as refunds
from sandbox.refunds.lifecycle import RefundLifecycle
from sandbox.scheduler import Scheduler
from sandbox.settings import Settings
from sandbox.settlements import control_routes as settlement_controls
from sandbox.settlements import routes as settlements
from sandbox.state import CurrentState, State
from sandbox.store import Store
from sandbox.transactions import control_routes as transaction_controls
from sandbox.transactions import partial_debit_routes, saved_card_routes
from sandbox.transactions import routes as transactions
from sandbox.webhooks import control_routes as webhook_controls
from sandbox.webhooks import routes as webhooks
from sandbox.webhooks.dispatcher import WebhookDispatcher
from sandbox.webhooks.queue import SLOW_WAIT
from sandbox.webhooks.sender import WebhookSender

DESCRIPTION = """Offline emulator of Paystack: the same API calls, a checkout page and signed webhooks.

With the control calls under `/sandbox/`, a script pays in place of the payer and sets faults. Control calls require no key, so do not
expose this server to a network."""

BODY_LIMIT = 2 * 1024 * 1024
"""Bytes. Twice the limit of the webhook receiver, so that a script can make the sandbox send a webhook that is too large."""


PAYSTACK_ROUTES = (
    saved_card_routes,
    partial_debit_routes,
    transactions,
    pending_charges,
    refunds,
    disputes,
    settlements,
    integration,
    webhooks,
)
CONTROL_ROUTES = (
    transaction_controls,
    pending_charge_controls,
    webhook_controls,
    fault_controls,
    refund_controls,
    dispute_controls,
    settlement_controls,
)
health_router = APIRouter(tags=["Health"])


@health_router.get("/livez", summary="Liveness")
async def livez() -> JSONResponse:
    """Report that the process answers requests."""
    return JSONResponse({"status": "ok"})


@health_router.get("/readyz", summary="Readiness")
async def readyz(state: CurrentState) -> JSONResponse:
    """Report that the database answers."""
    await state.store.run(lambda connection: connection.execute("SELECT 1").fetchone())
    return JSONResponse({"status": "ok"})


def create_app(settings: Settings) -> FastAPI:
    """Return the app with its routes. The background tasks run in its lifespan."""
    store = Store(settings.database)
    fault_injector = FaultInjector()
    sender = WebhookSender(store, settings.webhook_url, settings.time_scale)
    dispatcher = WebhookDispatcher(settings.key, settings.webhook_url, fault_injector)
    refund_lifecycle = RefundLifecycle(dispatcher, settings.refund_seconds)
    dispute_lifecycle = DisputeLifecycle(dispatcher, SLOW_WAIT * settings.time_scale)
    charge_lifecycle = PendingChargeLifecycle(dispatcher)
    jobs = [refund_lifecycle.advance, dispute_lifecycle.advance, charge_lifecycle.advance]
    scheduler = Scheduler(store, sender, jobs)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await store.open()
        tasks = [asyncio.create_task(background.run()) for background in (sender, scheduler)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await store.close()

    app = FastAPIOffline(
        title="Paystack sandbox",
        description=DESCRIPTION,
        lifespan=lifespan,
        max_body_size=BODY_LIMIT,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.sandbox = State(
        settings=settings,
        store=store,
        fault_injector=fault_injector,
        dispatcher=dispatcher,
        sender=sender,
        scheduler=scheduler,
        refunds=refund_lifecycle,
        disputes=dispute_lifecycle,
        pending_charges=charge_lifecycle,
    )
    app.add_middleware(TrailingSlashMiddleware)
    errors.install(app)
    for routes in (*PAYSTACK_ROUTES, *CONTROL_ROUTES, checkout):
        app.include_router(routes.router)
    app.include_router(health_router)
    return app
