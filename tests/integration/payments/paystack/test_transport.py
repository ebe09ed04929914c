"""Faulty answers over real sockets: each leaves the payment pending, and no connection or task behind."""

import asyncio
import gc
from collections.abc import AsyncIterator
from functools import partial

import psutil
import pytest

from services.payments.db import sessions
from services.payments.errors import PaystackUnavailable
from services.payments.paystack import transport
from services.payments.paystack.circuit_breaker import FAILURES
from services.payments.paystack.client import Paystack
from services.payments.settlement.sweeper import Sweeper
from services.payments.settlement.verify import verify_now
from tests.factories.payments import create_payment
from tests.fakes.paystack import charge
from tests.fakes.paystack.raw_server import (
    RawAnswer,
    RawServer,
    answer_with,
    answer_with_charge,
    drip,
    reset_connection,
    running_raw_server,
    send_half_an_answer,
    stay_silent,
)
from tests.fixtures.loops import living, until
from tests.fixtures.payments import paystack_client
from tests.fixtures.payments_rows import change_payments, execute, find_payment, outbox_types

FAULTS: dict[str, RawAnswer] = {
    "500": answer_with(500, {"status": False, "message": "An error occurred", "type": "api_error", "code": "unknown"}),
    "502 html": answer_with(502, b"<h1>Bad gateway</h1>"),
    "200 html": answer_with(200, b"<!doctype html><h1>Please wait</h1>"),
    "200 empty": answer_with(200, b""),
    "200 status false": answer_with(200, {"status": False, "message": "no"}),
    "200 deep": answer_with(200, b"[" * 100_000),
    "200 data null": answer_with(200, {"status": True, "data": None}),
    "2 MB": answer_with(200, b"a" * 2_000_000),
    "429": answer_with(429, {"status": False, "code": "rate_limited"}, "x-ratelimit-reset: 0\r\n"),
    "silence": stay_silent,
    "reset": reset_connection,
    "half an answer": send_half_an_answer,
    "an answer that drips": drip,
    "another reference": answer_with_charge(lambda _: charge("pay-of-another-customer")),
    "reference null": answer_with_charge(lambda reference: charge(reference) | {"reference": None}),
    "amount a float": answer_with_charge(lambda reference: charge(reference) | {"amount": 500.5}),
    "status unknown": answer_with_charge(lambda reference: charge(reference) | {"status": "sucess"}),
    "status null": answer_with_charge(lambda reference: charge(reference) | {"status": None}),
    "status missing": answer_with_charge(
        lambda reference: {name: value for name, value in charge(reference).items() if name != "status"}
    ),
}


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    """A Paystack that answers with any bytes."""
    async with running_raw_server() as found:
        yield found


@pytest.fixture
async def raw_client(server: RawServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Paystack]:
    """A client of that server, whose calls last half a second at most."""
    monkeypatch.setattr(transport, "CALL_SECONDS", 0.5)
    async with paystack_client(url=f"http://127.0.0.1:{server.port}") as client:
        yield client


def open_resources() -> tuple[int, int]:
    """Return the counts of open files and sockets, and of tasks."""
    gc.collect()
    return psutil.Process().num_fds(), len(asyncio.all_tasks())


async def verify(client: Paystack, reference: str) -> bool:
    """Verify a payment now, however recently it was verified. Return whether Paystack answered."""
    await change_payments(reference, verify_attempts=0)
    try:
        await verify_now(sessions, client, reference)
    except PaystackUnavailable:
        return False
    return True


async def test_verify_whatever_the_fault_leaves_the_payment_pending_and_nothing_open(
    server: RawServer, raw_client: Paystack, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await create_payment()
    await verify(raw_client, one.reference)
    await server.drop_connections()
    before = open_resources()
    for name, fault in FAULTS.items():
        server.answer = fault
        for _ in range(2):
            await verify(raw_client, one.reference)
        assert (await find_payment(one.reference)).status == "pending", name
        await server.drop_connections()
    assert await outbox_types() == []

    async def as_before() -> bool:
        files, tasks = open_resources()
        return files <= before[0] + 2 and tasks <= before[1]

    await until(as_before)
    server.answer = answer_with_charge(charge)
    monkeypatch.setattr(transport, "CALL_SECONDS", 10)  # the machine may be busy
    assert await verify(raw_client, one.reference)
    assert (await find_payment(one.reference)).status == "succeeded"
    assert await outbox_types() == ["payment.succeeded"]


async def test_verify_when_the_status_flips_settles_the_payment_once(server: RawServer, raw_client: Paystack) -> None:
    one = await create_payment()
    for status in ("abandoned", "ongoing", "success", "failed", "abandoned", "success", "reversed", "pending"):
        server.answer = answer_with_charge(partial(charge, status=status))
        await verify(raw_client, one.reference)
    assert (await find_payment(one.reference)).status == "succeeded"
    assert await outbox_types() == ["payment.succeeded"]


@pytest.mark.parametrize("name", ["500", "silence", "reset"])
async def test_sweeper_when_answers_are_faults_opens_the_circuit_after_few_calls(
    server: RawServer, raw_client: Paystack, name: str
) -> None:
    server.answer = FAULTS[name]
    for _ in range(60):
        await create_payment()
    await execute("UPDATE payments SET verify_next_attempt_at = created_at")

    async def opened() -> bool:
        return raw_client.rate_limit.circuit_breaker.open

    async with living(Sweeper(sessions, raw_client).run):
        await until(opened)
        assert FAILURES <= server.calls <= FAILURES + 10  # with those that were on their way
