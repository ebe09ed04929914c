"""The cost of an access token: the same route without and with it, and a peer."""

import asyncio
import sys
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx

from bench.intake import MAX_RATE, WARM_UP_SECONDS
from bench.load import Round, Target, run, send_requests
from bench.processes import running
from dev.process import ports
from dev.stack.stack import Stack

ACCOUNT_CONNECTIONS = 16
"""For the routes that read an account. auth reads over five connections to Postgres, and refuses a request that has waited two seconds for
one of them: over 64 connections to auth, it refuses some when the machine is busy."""


class Refused(Exception):
    """A measured route did not answer 200 or 304."""


@dataclass(slots=True)
class MeasuredRoute:
    """A GET route that is measured, and the access token that is sent to it (empty: none). `headers` are further lines of the request."""

    name: str
    target: Target
    token: str = ""
    headers: str = ""
    rounds: list[Round] = field(default_factory=list)

    def request(self) -> bytes:
        """Return the complete HTTP/1.1 request."""
        authorization = f"Authorization: Bearer {self.token}\r\n" if self.token else ""
        lines = f"Host: 127.0.0.1:{self.target.port}\r\n{authorization}{self.headers}"
        return f"GET {self.target.path} HTTP/1.1\r\n{lines}\r\n".encode()


def run_requests(request: bytes, target: Target, seconds: float) -> Round:
    """Send the same request again and again, in this process."""
    return run(send_requests([request] * int(seconds * MAX_RATE), target, seconds))


async def measure_in_turns(routes: list[MeasuredRoute], rounds: int, seconds: float, executor: Executor) -> None:
    """Measure the routes in turns, so that other load on this machine affects all of them. Raises Refused."""
    for route in routes:
        await _round(route, WARM_UP_SECONDS, executor)
    for _ in range(rounds):
        for route in routes:
            route.rounds.append(await _round(route, seconds, executor))


async def _round(route: MeasuredRoute, seconds: float, executor: Executor) -> Round:
    loop = asyncio.get_running_loop()
    found = await loop.run_in_executor(executor, run_requests, route.request(), route.target, seconds)
    if found.refused:
        raise Refused(
            f"{route.name} did not answer 200 or 304 to {found.refused} of {found.refused + found.accepted} requests"
        )
    return found


@asynccontextmanager
async def open_and_closed_route(stack: Stack) -> AsyncIterator[list[MeasuredRoute]]:
    """Run a server with two routes that do nothing: without a token, and with an access token of the stack's auth."""
    (port,) = ports.reserve_free(1)
    environment = {
        "TOKEN_ISSUER": stack.env["TOKEN_ISSUER"],
        "JWKS_URL": stack.env["JWKS_URL"],
        "NOOP_PORT": str(port),
    }
    async with (
        httpx.AsyncClient(base_url=stack.env["AUTH_URL"], trust_env=False, timeout=30) as client,
        running("noop", [sys.executable, "-m", "bench.noop"], environment, port),
    ):
        token = (await client.post("/auth/guests")).raise_for_status().json()["access_token"]
        yield [
            MeasuredRoute("open route", Target(port, "/open")),
            MeasuredRoute("closed route", Target(port, "/closed"), token),
        ]
    ports.release([port])
