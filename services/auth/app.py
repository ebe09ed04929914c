"""The app of auth: accounts, access tokens and the public keys that verify them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from contracts.revocations import RevocationList
from kit.app import create_app
from kit.audit.routes import audit_router
from kit.auth import AuthState, TokenVerifier
from kit.db.schema import schema_check
from kit.http.health import Check
from kit.revocations import Revocations
from services.auth.accounts import deletion_routes, email_routes, password_routes
from services.auth.accounts import routes as account_routes
from services.auth.accounts.configured import Bootstrap
from services.auth.accounts.hash_threads import default_threads
from services.auth.accounts.password_hashing import PasswordHasher
from services.auth.db import db_sessions, engine, reading, reading_db_sessions, reading_engine
from services.auth.keys import routes as key_routes
from services.auth.keys.key_folder import read_refresh_token_key
from services.auth.keys.key_ring import KeyRing
from services.auth.management import mail_routes
from services.auth.management import routes as management_routes
from services.auth.models import AuditLogEntry
from services.auth.sessions import routes as session_routes
from services.auth.sessions.revocations import current_list
from services.auth.settings import settings
from services.auth.throttling.refusal_delay import RefusalDelay
from services.auth.throttling.remembered_refusals import RememberedRefusals
from services.auth.tokens import check, guest_routes, server_metadata
from services.auth.tokens import routes as token_routes

REVOCATION_POLL_SECONDS = 2.0

checks: dict[str, Check] = {"database": schema_check("services.auth", engine)}
"""Readiness checks. The lifespan adds the checks of the objects that it creates."""

warnings: dict[str, Check] = {}
"""Checks whose failures /readyz shows without becoming unready. The lifespan adds them."""


class State(AuthState):
    """The objects that requests share. Each of them is an attribute of `request.state`."""

    key_ring: KeyRing
    password_hasher: PasswordHasher
    remembered_refusals: RememberedRefusals
    refusal_delay: RefusalDelay
    refresh_token_key: bytes
    """The key with which a refresh token is derived from the one that it replaces (sessions/refresh_tokens.py)."""


async def _read_revocations() -> RevocationList:
    async with reading_db_sessions() as db:
        return await current_list(db)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[State]:
    key_ring = KeyRing(settings.auth_keys_dir, settings.auth_key_activation_seconds)
    key_ring.load()
    refresh_token_key = read_refresh_token_key(settings.auth_keys_dir)
    revocations = Revocations(_read_revocations)
    verifier = TokenVerifier(
        key_ring.jwks,
        issuer=settings.token_issuer,
        audience=settings.token_audience,
        is_revoked=revocations.is_revoked,
    )
    threads = settings.auth_hash_threads or default_threads(settings.web_concurrency)
    password_hasher = PasswordHasher.create(settings.auth_password_scheme, settings.auth_bcrypt_rounds, threads)
    await password_hasher.warm_up()
    bootstrap = Bootstrap(db_sessions, password_hasher, settings)
    checks.update({"keys": key_ring.check, "admin": bootstrap.check})
    warnings["administrators"] = bootstrap.check_formerly_configured
    async with bootstrap.running(), verifier.keys.refreshing(), revocations.polling(REVOCATION_POLL_SECONDS):
        yield State(
            verifier=verifier,
            key_ring=key_ring,
            password_hasher=password_hasher,
            remembered_refusals=RememberedRefusals(),
            refusal_delay=RefusalDelay(),
            refresh_token_key=refresh_token_key,
        )
    password_hasher.close()
    await engine.dispose()
    await reading_engine.dispose()


app = create_app(
    "auth",
    settings,
    description="Accounts and access tokens: OAuth 2.0 (RFC 6749) with signed tokens (RFC 9068).",
    checks=checks,
    warnings=warnings,
    lifespan=lifespan,
    # The database URL contains a password, and all processes of the service have it: so cursors need no setting of their own.
    cursor_secret=settings.auth_database_url.get_secret_value(),
    routers=[
        account_routes.router,
        email_routes.router,
        password_routes.router,
        deletion_routes.router,
        management_routes.router,
        mail_routes.router,
        token_routes.token_router,
        token_routes.router,
        check.router,
        guest_routes.oauth_router,
        guest_routes.router,
        session_routes.router,
        key_routes.router,
        server_metadata.router,
        audit_router("/auth", AuditLogEntry, reading),
    ],
)
