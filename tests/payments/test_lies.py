"""A Paystack that lies when it is asked: over real sockets, every lie leaves the payment pending, and no connection behind."""

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import psutil
import pytest
from pydantic import SecretStr
from sqlalchemy import update

from services.payments.db import sessions
from services.payments.models import Payment
from services.payments.paystack import transport
from services.payments.paystack.circuit_breaker import FAILURES
from services.payments.paystack.client import Paystack
from services.payments.settlement.sweeper import Sweeper
from tests.loops import living, until
from tests.payments.conftest import charge, clients, found, outbox_types, payment, running_app

Lie = Callable[[str, asyncio.StreamWriter], Awaitable[None]]


def http(status: int, body: bytes | dict[str, Any], headers: str = "", length: int | None = None) -> bytes:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    told = len(raw) if length is None else length
    return f"HTTP/1.1 {status} X\r\ncontent-length: {told}\r\n{headers}\r\n".encode() + raw


def says(status: int, body: bytes | dict[str, Any], headers: str = "") -> Lie:
    async def lie(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(http(status, body, headers))

    return lie


def of(change: Callable[[str], dict[str, Any]]) -> Lie:
    async def lie(reference: str, writer: asyncio.StreamWriter) -> None:
        writer.write(http(200, {"status": True, "message": "ok", "data": change(reference)}))

    return lie


async def silence(_: str, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(5)


async def reset(_: str, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def half(_: str, writer: asyncio.StreamWriter) -> None:
    writer.write(http(200, b'{"status":true,"data":{', length=5000))
    writer.close()


async def drip(_: str, writer: asyncio.StreamWriter) -> None:
    writer.write(http(200, b"", length=5000))
    for _part in range(100):
        writer.write(b" ")
        await asyncio.sleep(0.05)


LIES: dict[str, Lie] = {
    "500": says(500, {"status": False, "message": "An error occurred", "type": "api_error", "code": "unknown"}),
    "502 html": says(502, b"<h1>Bad gateway</h1>"),
    "200 html": says(200, b"<!doctype html><h1>Please wait</h1>"),
    "200 empty": says(200, b""),
    "200 status false": says(200, {"status": False, "message": "no"}),
    "200 deep": says(200, b"[" * 100_000),
    "200 data null": says(200, {"status": True, "data": None}),
    "2 MB": says(200, b"a" * 2_000_000),
    "429": says(429, {"status": False, "code": "rate_limited"}, "x-ratelimit-reset: 0\r\n"),
    "silence": silence,
    "reset": reset,
    "half an answer": half,
    "an answer that drips": drip,
    "another reference's": of(lambda _: charge("pay-of-somebody-else")["data"]),
    "reference null": of(lambda reference: charge(reference)["data"] | {"reference": None}),
    "amount a float": of(lambda reference: charge(reference)["data"] | {"amount": 500.5}),
    "status unknown": of(lambda reference: charge(reference)["data"] | {"status": "sucess"}),
    "status null": of(lambda reference: charge(reference)["data"] | {"status": None}),
    "status missing": of(lambda reference: {k: v for k, v in charge(reference)["data"].items() if k != "status"}),
}


class Liar:
    """An HTTP server on loopback that answers with `lie`. Counts what it was asked."""

    def __init__(self) -> None:
        self.lie = LIES["500"]
        self.asked = 0
        self._answering: set[asyncio.Task[None]] = set()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._answering.add(task)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.asked += 1
                await self.lie(head.split(" ")[1].rpartition("/")[2], writer)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            self._answering.discard(task)

    async def hushed(self) -> None:
        for task in list(self._answering):
            task.cancel()
        await asyncio.gather(*self._answering, return_exceptions=True)


@pytest.fixture
async def liar(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Liar]:
    monkeypatch.setattr(transport, "CALL_SECONDS", 0.5)
    found = Liar()
    server = await asyncio.start_server(found.accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = Paystack(f"http://127.0.0.1:{port}", SecretStr("sk_test_0123456789abcdef"))
    running_app().state["clients"] = replace(clients(), configured_paystack=client)
    yield found
    await client.close()
    await found.hushed()
    server.close()


def held() -> tuple[int, int]:
    """Open files and sockets, and tasks."""
    gc.collect()
    return psutil.Process().num_fds(), len(asyncio.all_tasks())


async def ask(reference: str) -> None:
    """What the sweep does with one payment."""
    await Sweeper(sessions, clients().paystack)._ask(reference, (await found(reference)).created_at)


async def test_every_lie_leaves_the_payment_pending_and_nothing_open(liar: Liar) -> None:
    one = await payment()
    await ask(one.reference)
    await liar.hushed()
    before = held()
    for name, lie in LIES.items():
        liar.lie = lie
        for _ in range(2):
            await ask(one.reference)
        assert (await found(one.reference)).status == "pending", name
        await liar.hushed()
    assert await outbox_types() == []

    async def as_before() -> bool:
        files, tasks = held()
        return files <= before[0] + 2 and tasks <= before[1]

    await until(as_before)
    liar.lie = of(lambda reference: charge(reference)["data"])
    await ask(one.reference)
    assert (await found(one.reference)).status == "succeeded"
    assert await outbox_types() == ["payment.succeeded"]


async def test_a_payment_whose_status_flips_is_paid_once(liar: Liar) -> None:
    one = await payment()
    for status in ("abandoned", "ongoing", "success", "failed", "abandoned", "success", "reversed", "pending"):
        liar.lie = of(lambda reference, status=status: charge(reference, status=status)["data"])  # type: ignore[misc]
        await ask(one.reference)
    assert (await found(one.reference)).status == "succeeded"
    assert await outbox_types() == ["payment.succeeded"]


@pytest.mark.parametrize("name", ["500", "silence", "reset"])
async def test_lies_open_the_circuit(liar: Liar, name: str) -> None:
    liar.lie = LIES[name]
    for _ in range(60):
        await payment()
    async with sessions.begin() as session:
        await session.execute(update(Payment).values(verify_next_attempt_at=Payment.created_at))

    async def opened() -> bool:
        return clients().paystack.rate_limit.circuit_breaker.open

    async with living(Sweeper(sessions, clients().paystack).run):
        await until(opened)
        asked = liar.asked
        assert FAILURES <= asked <= FAILURES + 10  # those that were on their way
