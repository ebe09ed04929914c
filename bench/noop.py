"""Routes that do nothing, on the same server with the same middleware as a service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, Request, Response

from kit.app import create_app
from kit.auth import AuthState, Caller, TokenVerifier, authenticate
from kit.cli.processes import serve_app
from kit.jwks import jwks_fetcher
from kit.settings import Port, Settings, load_settings


class NoopSettings(Settings):
    noop_port: Port
    jwks_url: str


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[AuthState]:
    fetch_keys = jwks_fetcher(settings.jwks_url)
    yield AuthState(verifier=TokenVerifier(fetch_keys, issuer=settings.token_issuer, audience=settings.token_audience))


settings = load_settings(NoopSettings)
app = create_app("noop", settings, description="Does nothing.", checks={}, lifespan=lifespan, cursor_secret="")


@app.post("/noop")
async def receive(request: Request) -> Response:
    await request.body()
    return Response('{"status":"stored"}', media_type="application/json")


@app.get("/open")
async def open_route() -> Response:
    return Response('{"status":"ok"}', media_type="application/json")


@app.get("/closed")
async def closed_route(_: Annotated[Caller, Depends(authenticate)]) -> Response:
    return Response('{"status":"ok"}', media_type="application/json")


if __name__ == "__main__":
    serve_app("bench.noop:app", settings, settings.noop_port)
