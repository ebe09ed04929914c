"""The sweep asks about every payment whose webhook is late: at Paystack's pace, none twice, none forgotten."""

import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, text, update

from services.payments.db import sessions
from services.payments.models import Payment
from services.payments.paystack.client import Paystack
from services.payments.settlement import sweeper as sweep
from services.payments.settlement.sweeper import Sweeper
from tests.payments.conftest import charge, clients, found, outbox_types, payment, running_app
from tests.payments.played import Clock, Hurried, Limited, ok

PAST = datetime(2026, 1, 1, tzinfo=UTC)
Playing = Callable[[Paystack], None]


@pytest.fixture
async def playing(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Playing]:
    """Whom payments asks."""
    clients_made = []

    def play(paystack: Paystack) -> None:
        clients_made.append(paystack)
        running_app().state["clients"] = replace(clients(), configured_paystack=paystack)

    yield play
    for made in clients_made:
        await made.close()


def reference_of(request: httpx.Request) -> str:
    return request.url.path.rpartition("/")[2]


def told(request: httpx.Request, **changes: Any) -> httpx.Response:
    return ok(charge(reference_of(request), **changes)["data"])


async def statuses() -> dict[str, int]:
    async with sessions() as session:
        rows = await session.execute(select(Payment.status, func.count()).group_by(Payment.status))
        return {row[0]: row[1] for row in rows}


async def swept(shutdown: Hurried) -> int:
    answers: list[bool] = []
    await Sweeper(sessions, clients().paystack).sweep(shutdown, answers.append)
    return len(answers)


MANY = 10_000


async def test_ten_thousand_finish_inside_the_limits_and_as_was_said(playing: Playing) -> None:
    clock = Clock()
    played = Limited(
        clock, lambda request: told(request, status="success" if reference_of(request)[-2:] == "00" else "ongoing")
    )
    playing(played.client())
    async with sessions.begin() as session:
        await session.execute(
            text(
                "INSERT INTO payments (reference, order_id, payer_id, amount, currency, verify_next_attempt_at)"
                " SELECT 'pay-' || n, gen_random_uuid(), 'payer-1', 50000, 'NGN', now() - n * interval '1 second'"
                f" FROM generate_series(1, {MANY}) AS n"
            )
        )
    async with sessions() as session:
        assert await sweep.count_due(session) == MANY
    said = sweep.expected_seconds(MANY, clients().paystack.rate_limit)
    began = time.monotonic()
    assert await swept(Hurried(clock)) == MANY
    print(
        f"{MANY} asked in {time.monotonic() - began:.0f} s of ours, {clock.now - 1000:.0f} s of Paystack's; said {said:.0f}"
    )
    assert played.refused == 0
    assert max(played.made.values()) <= 82  # of 100: the rest is for checkout
    assert len(set(played.asked)) == len(played.asked) == MANY
    assert (clock.now - 1000) == pytest.approx(said, rel=0.1)
    assert await statuses() == {"succeeded": MANY // 100, "pending": MANY - MANY // 100}
    async with sessions() as session:
        assert await sweep.count_due(session) == 0


async def test_live_limits_are_used_where_they_are_told(playing: Playing) -> None:
    clock = Clock()
    played = Limited(clock, lambda request: told(request, status="ongoing"), limit=600, verify=3000)
    playing(played.client())
    for _ in range(60):
        await payment(verify_next_attempt_at=PAST)
    await swept(Hurried(clock))
    assert sweep.expected_seconds(2250, clients().paystack.rate_limit) == pytest.approx(60)
    assert clock.now - 1000 < 10


async def test_a_429_all_the_same_is_waited_out(playing: Playing) -> None:
    clock = Clock()
    played = Limited(clock, told, told=False)
    playing(played.client(budget=1_000_000))
    for _ in range(150):
        await payment(verify_next_attempt_at=PAST)
    shutdown = Hurried(clock)
    await swept(shutdown)
    async with sessions.begin() as session:  # as time goes by: those that met the limit are due again
        await session.execute(update(Payment).where(Payment.status == "pending").values(verify_next_attempt_at=PAST))
    await swept(shutdown)
    assert await statuses() == {"succeeded": 150}
    assert played.refused <= sweep.CONCURRENCY
    assert clock.now - 1000 > 15


async def test_an_outage_costs_few_calls_and_no_payment(playing: Playing) -> None:
    clock = Clock()
    ill_until = 1000 + 600

    def answer(request: httpx.Request) -> httpx.Response:
        if clock.now < ill_until:
            raise httpx.ConnectError("away")
        return told(request)

    played = Limited(clock, answer)
    playing(played.client())
    for _ in range(60):
        await payment(verify_next_attempt_at=PAST)
    shutdown = Hurried(clock)
    await swept(shutdown)
    assert len(played.asked) < 5 + 10 + 15 + 60
    async with sessions.begin() as session:
        await session.execute(update(Payment).where(Payment.status == "pending").values(verify_next_attempt_at=PAST))
    await swept(shutdown)
    assert await statuses() == {"succeeded": 60}


async def test_a_wrong_key_fails_no_payment_and_gives_none_up(playing: Playing) -> None:
    clock = Clock()
    played = Limited(clock, lambda _: httpx.Response(401, json={"status": False, "message": "Invalid key"}))
    playing(played.client())
    for _ in range(3):
        one = await payment(verify_next_attempt_at=PAST)
    async with sessions.begin() as session:
        await session.execute(update(Payment).values(created_at=PAST))  # old enough to be given up
    await swept(Hurried(clock))
    assert await statuses() == {"pending": 3}
    assert (await found(one.reference)).verify_next_attempt_at > datetime.now(UTC)
    assert clock.now - 1000 > 30
    assert await outbox_types() == []


async def test_what_is_old_is_given_up_after_one_more_answer(playing: Playing) -> None:
    paid, unpaid, unknown = [await payment(verify_next_attempt_at=PAST) for _ in range(3)]
    async with sessions.begin() as session:
        await session.execute(update(Payment).values(created_at=PAST))

    def answer(request: httpx.Request) -> httpx.Response:
        if reference_of(request) == unknown.reference:
            return httpx.Response(404, json={"status": False, "code": "transaction_not_found"})
        return told(request, status="success" if reference_of(request) == paid.reference else "abandoned")

    clock = Clock()
    playing(Limited(clock, answer).client())
    await swept(Hurried(clock))
    assert (await found(paid.reference)).status == "succeeded"
    assert (await found(unpaid.reference)).status == "abandoned"
    assert (await found(unknown.reference)).status == "abandoned"
    assert await outbox_types() == ["payment.succeeded"]


async def test_questions_come_ever_later_and_not_together() -> None:
    for number in range(20):
        await payment(verify_next_attempt_at=PAST, verify_attempts=number % 10)
    before = datetime.now(UTC)
    assert len(await Sweeper(sessions, clients().paystack)._take_due()) == 20
    async with sessions() as session:
        rows = (await session.execute(select(Payment.verify_attempts, Payment.verify_next_attempt_at))).all()
    pauses: dict[int, list[float]] = {}
    for row in rows:
        pauses.setdefault(row.verify_attempts - 1, []).append((row.verify_next_attempt_at - before).total_seconds())
    assert all(40 < pause < 80 for pause in pauses[0])
    assert all(pause > 300 for pause in pauses[3])
    assert all(pause < 3600 * 1.3 for each in pauses.values() for pause in each)
    assert all(len(set(each)) == 2 for each in pauses.values())


async def test_one_that_is_locked_holds_back_no_other(playing: Playing) -> None:
    clock = Clock()
    playing(Limited(clock, told).client())
    ones = [await payment(verify_next_attempt_at=PAST) for _ in range(3)]
    sweeper = Sweeper(sessions, clients().paystack)
    due = await sweeper._take_due()
    async with sessions() as holder:
        await holder.execute(text("SELECT 1 FROM payments WHERE reference = :it FOR UPDATE"), {"it": due[0][0]})
        await sweeper._verify_all(Hurried(clock), due)
        await holder.rollback()
    assert sorted([(await found(one.reference)).status for one in ones]) == ["pending", "succeeded", "succeeded"]


async def test_all_pending_ones_can_be_brought_forward() -> None:
    await payment()
    async with sessions.begin() as session:
        assert await sweep.count_due(session) == 0
        await sweep.bring_forward(session)
    async with sessions() as session:
        assert await sweep.count_due(session) == 1
