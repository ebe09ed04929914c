"""Requests to POST /auth/token: each connection sends one after another, and the next one may need the answer to the last."""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlencode

from bench.load import MAX_EXTRA_SECONDS, Connection, Round, Target, run

PATH = "/auth/token"


class Sender(Protocol):
    """The requests of one connection."""

    def request(self) -> bytes:
        """Return the next request."""

    def received(self, body: bytes) -> None:
        """Read an answer 200."""


@dataclass(slots=True)
class Login:
    """Logs in to an account again and again."""

    form: bytes

    @classmethod
    def with_password(cls, email: str, password: str) -> "Login":
        return cls(post(grant_type="password", username=email, password=password))

    def request(self) -> bytes:
        return self.form

    def received(self, body: bytes) -> None:
        pass


@dataclass(slots=True)
class Refresh:
    """Uses the refresh tokens of a session, each once."""

    token: str

    def request(self) -> bytes:
        return post(grant_type="refresh_token", refresh_token=self.token)

    def received(self, body: bytes) -> None:
        self.token = json.loads(body)["refresh_token"]


def post(**form: str) -> bytes:
    """Return the complete HTTP/1.1 request with a form."""
    body = urlencode(form)
    return (
        f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


@dataclass(slots=True)
class SentRound:
    """A round, and the senders as it left them. They come back from the load process because the next round continues with them."""

    round: Round
    senders: Sequence[Sender] = field(default_factory=list)


def send(senders: Sequence[Sender], port: int, seconds: float) -> SentRound:
    """Send in this process for `seconds`, with one connection for each sender."""
    return SentRound(run(_send(senders, Target(port, PATH), seconds)), senders)


async def _send(senders: Sequence[Sender], target: Target, seconds: float) -> Round:
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    found = Round(started=time.time())

    async def connect_and_send(sender: Sender) -> None:
        def take() -> bytes | None:
            return sender.request() if time.perf_counter() - began < seconds else None

        def answered(status: int, took: float, body: bytes) -> None:
            found.count(status, took)
            if status == 200:
                sender.received(body)

        _, connection = await loop.create_connection(lambda: Connection(take, answered), "127.0.0.1", target.port)
        await connection.closed
        if not connection.finished:
            raise ConnectionError(f"the server on port {target.port} closed a connection")

    async with asyncio.timeout(seconds + MAX_EXTRA_SECONDS), asyncio.TaskGroup() as group:
        for sender in senders:
            group.create_task(connect_and_send(sender))
    found.seconds = time.perf_counter() - began
    return found
