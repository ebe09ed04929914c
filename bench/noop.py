"""A route that reads the body and does nothing, on the same server with the same middleware: the upper limit of the webhook route."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response

from kit.app import create_app
from kit.cli.processes import serve_app
from kit.settings import Port, Settings, load_settings


class NoopSettings(Settings):
    noop_port: Port


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, object]]:
    yield {}


settings = load_settings(NoopSettings)
app = create_app("noop", settings, description="Does nothing.", checks={}, lifespan=lifespan)


@app.post("/noop")
async def receive(request: Request) -> Response:
    await request.body()
    return Response('{"status":"stored"}', media_type="application/json")


if __name__ == "__main__":
    serve_app("bench.noop:app", settings, settings.noop_port)
