"""The HTTP application of payments."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from kit.app import create_app
from kit.audit.routes import audit_router
from kit.auth import AuthState, TokenVerifier
from kit.db.schema import schema_check
from kit.idempotency.long_running import IdempotencyLocks
from kit.jwks import jwks_fetcher
from kit.messaging.notifier import Notifier
from kit.revocations import Revocations, revocations_fetcher, revocations_url
from services.payments import routes
from services.payments.cards import routes as card_routes
from services.payments.checkout import return_page
from services.payments.clients import Clients, open_clients
from services.payments.customers import routes as customer_routes
from services.payments.db import create_notifier, engine, reading, reading_engine, sessions
from services.payments.disputes import routes as dispute_routes
from services.payments.holds import routes as hold_routes
from services.payments.ledger import routes as ledger_routes
from services.payments.models import AuditLogEntry, IdempotencyKey
from services.payments.refunds import routes as refund_routes
from services.payments.rejected_transfers import routes as rejected_transfer_routes
from services.payments.settings import settings
from services.payments.settlement.requested import RequestedVerifications
from services.payments.unrelated_charges import routes as unrelated_charge_routes
from services.payments.webhooks import intake
from services.payments.webhooks import routes as webhook_routes
from services.payments.webhooks.intake import Intake
from services.payments.webhooks.sources import WebhookSources


class State(AuthState):
    """The objects that requests share. Each entry is an attribute of `request.state`."""

    clients: Clients
    notifier: Notifier
    idempotency_locks: IdempotencyLocks
    intake: Intake
    webhook_sources: WebhookSources
    requested_verifications: RequestedVerifications


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[State]:
    """Create the shared objects when the app starts, and release them when it stops."""
    fetch_keys = jwks_fetcher(settings.jwks_url)
    revocations = Revocations(revocations_fetcher(settings.revocations_url or revocations_url(settings.jwks_url)))
    verifier = TokenVerifier(
        fetch_keys,
        issuer=settings.token_issuer,
        audience=settings.token_audience,
        is_revoked=revocations.is_revoked,
    )
    notifier = create_notifier()
    idempotency_locks = IdempotencyLocks(sessions, IdempotencyKey, settings.payments_database_url)
    async with open_clients() as clients, verifier.keys.refreshing(), revocations.polling():
        yield State(
            verifier=verifier,
            clients=clients,
            notifier=notifier,
            idempotency_locks=idempotency_locks,
            intake=Intake(engine, notifier, settings.webhook_keys),
            webhook_sources=WebhookSources(settings.payments_webhook_sources, settings.mode),
            requested_verifications=RequestedVerifications(settings.web_concurrency),
        )
    await idempotency_locks.close()
    await engine.dispose()
    await reading_engine.dispose()


app = create_app(
    "payments",
    settings,
    description="Start payments at Paystack, charge saved cards, receive Paystack's webhooks, refund payments, respond to disputes.",
    checks={"database": schema_check("services.payments", engine)},
    lifespan=lifespan,
    # The URL contains a password, and all processes of the service have it: no further secret has to be configured.
    cursor_secret=settings.payments_database_url.get_secret_value(),
    routers=[
        return_page.router,
        intake.router,
        dispute_routes.router,
        webhook_routes.router,
        card_routes.router,
        ledger_routes.router,
        audit_router("/payments", AuditLogEntry, reading),
        refund_routes.list_router,
        unrelated_charge_routes.router,
        rejected_transfer_routes.router,
        customer_routes.router,
        routes.router,
        refund_routes.router,
        hold_routes.router,
    ],
    body_limits=dict.fromkeys((intake.PATH, *intake.OTHER_PATHS), intake.MAX_BODY_BYTES),
)
