"""auth: says who somebody is, in a token that the others can check by themselves."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from kit.app import create_app
from kit.auth import AuthState, TokenVerifier
from kit.db.migrations import schema_check
from services.auth import routes, token_endpoint, well_known
from services.auth.admin import Admin
from services.auth.db import engine
from services.auth.keys import ring
from services.auth.passwords import hashing
from services.auth.settings import settings

admin = Admin()


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[AuthState]:
    ring.look()
    await hashing.warm()
    async with admin.ensured():
        verifier = TokenVerifier(ring.jwks, issuer=settings.token_issuer, audience=settings.token_audience)
        yield AuthState(verifier=verifier)
    await engine.dispose()


app = create_app(
    "auth",
    settings,
    description="Accounts and access tokens: OAuth 2.0 (RFC 6749) with signed tokens (RFC 9068).",
    checks={"database": schema_check("services.auth", engine), "keys": ring.check, "admin": admin.check},
    lifespan=lifespan,
)
app.include_router(routes.router)
app.include_router(token_endpoint.router)
app.include_router(well_known.router)
