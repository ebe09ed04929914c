"""Notices that never came are fetched from Paystack's Webhook Events API, once each, and settle like any other."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import select, update

from kit.worker.shutdown import Shutdown
from services.payments.db import sessions
from services.payments.paystack.client import Paystack
from services.payments.paystack.webhook_events import parse_webhook_event
from services.payments.webhooks import backfill
from services.payments.webhooks.backfill import EVENT_HEADER, Backfill, BackfillReport
from services.payments.webhooks.models import BackfillState
from tests.fixtures.merchant import KEY, ORIGIN, Merchant
from tests.fixtures.sandbox import in_process_sandbox
from tests.payments.conftest import (
    charge,
    clients,
    found,
    notifier,
    outbox_types,
    payment,
    running_app,
    send,
    settle_all,
    stored,
)
from tests.payments.played import Clock, Hurried, Limited, ok

Json = dict[str, Any]
AT_ONCE = timedelta(0)
NOWHERE = "http://127.0.0.1:9/hook"


@pytest.fixture(autouse=True)
def nothing_is_on_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill, "IN_DELIVERY", timedelta(0))


@pytest.fixture
async def merchant(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Merchant]:
    """A sandbox that is the Paystack that we ask. Its webhooks go nowhere."""
    async with in_process_sandbox(webhook_url=NOWHERE) as own:
        transport = own.http._transport
        paystack = Paystack(ORIGIN, SecretStr(KEY), transport)
        running_app().state["clients"] = replace(clients(), configured_paystack=paystack)
        yield own


class Archive:
    """Paystack's list of events, as we are told its shape: newest first, fifty a page, payloads one by one."""

    def __init__(self, *events: Json) -> None:
        self.events = [{"_id": f"e{number}", "status": "Failed", **event} for number, event in enumerate(events)]
        self.calls: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.calls.append(path.rpartition("/")[2])
        if path != "/integration/webhooks/events":
            key = path.rpartition("/")[2]
            return ok(next(event for event in self.events if event["_id"] == key))
        begin = int(request.url.params.get("next") or 0)
        assert request.url.params["from"].endswith("Z")
        assert request.url.params["to"].endswith("Z")
        limit = int(request.url.params["limit"])
        newest_first = self.events[::-1][begin : begin + limit]
        following = str(begin + limit) if begin + limit < len(self.events) else None
        listed = [{name: event[name] for name in event if name != "event_payload"} for event in newest_first]
        return ok(listed, meta={"next": following, "previous": None})


def event(notice: Json, row_id: int | None = None, **more: Any) -> Json:
    return {"event_name": notice["event"], "event_payload": notice, "category_row_id": row_id, **more}


@pytest.fixture
async def playing(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[httpx.Request], httpx.Response]], Hurried]:
    def play(answer: Callable[[httpx.Request], httpx.Response]) -> Hurried:
        clock = Clock()
        running_app().state["clients"] = replace(clients(), configured_paystack=Limited(clock, answer).client())
        return Hurried(clock)

    return play


async def fill(shutdown: Shutdown | None = None, older_than: timedelta = AT_ONCE) -> BackfillReport | None:
    return await Backfill(sessions, clients().paystack, notifier()).catch_up(shutdown or Shutdown(), older_than)


async def mark() -> BackfillState:
    async with sessions() as session:
        return (await session.execute(select(BackfillState))).scalar_one()


async def test_a_payment_whose_webhook_never_came(merchant: Merchant) -> None:
    started = await merchant.start(amount=50_000)
    one = await payment(started["reference"])
    await merchant.pay(one.reference, outcome="success", deliveries=0)
    assert await fill() == BackfillReport(seen=1, stored=1, complete=True)
    (notice,) = await stored()
    assert (notice.status, len(notice.key)) == ("pending", 64)
    assert EVENT_HEADER in notice.headers
    await settle_all()
    assert (await found(one.reference)).status == "succeeded"
    assert await outbox_types() == ["payment.succeeded"]
    assert await fill() == BackfillReport(seen=1, stored=0, complete=True)


async def test_an_event_that_cannot_be_read_holds_back_no_other(
    playing: Callable[[Callable[[httpx.Request], httpx.Response]], Hurried], caplog: pytest.LogCaptureFixture
) -> None:
    one = await payment()
    archive = Archive(event(charge(one.reference)), {"event_name": None}, {"event_name": 7})
    assert await fill(playing(archive)) == BackfillReport(seen=3, stored=1, complete=True)
    assert "passed over" in caplog.text
    assert (await mark()).reached is not None


async def test_the_webhook_that_comes_after_all_is_the_same_notice(
    client: httpx.AsyncClient, merchant: Merchant
) -> None:
    started = await merchant.start(amount=50_000)
    await payment(started["reference"])
    await merchant.pay(started["reference"], outcome="success", deliveries=0)
    await fill()
    (notice,) = await stored()
    await send(client, bytes(notice.body))
    assert len(await stored()) == 1


async def test_what_came_is_not_fetched_again(client: httpx.AsyncClient, playing: Any) -> None:
    notices = [charge((await payment()).reference) for _ in range(120)]
    archive = Archive(*(event(notice, notice["data"]["id"]) for notice in notices))
    shutdown = playing(archive)
    for notice in notices[:119]:
        await send(client, notice)
    await settle_all()
    assert await fill(shutdown) == BackfillReport(seen=120, stored=1, complete=True)
    assert archive.calls == ["events", "e119", "events", "events"]
    await settle_all()
    assert len(await outbox_types()) == 120


async def test_twice_the_same_work_stores_nothing_twice(playing: Any) -> None:
    notices = [charge((await payment()).reference) for _ in range(7)]
    # A list that tells no row: every one is fetched, and found to be held.
    shutdown = playing(Archive(*(event(notice) for notice in notices), event({"event": "moon.landed", "data": {}})))
    assert await fill(shutdown) == BackfillReport(seen=8, stored=8, complete=True)
    assert await fill(shutdown) == BackfillReport(seen=8, stored=0, complete=True)  # not even settled yet
    await settle_all()
    assert await fill(shutdown) == BackfillReport(seen=8, stored=0, complete=True)
    assert len(await outbox_types()) == 7


async def test_two_equal_partial_refunds_are_two(client: httpx.AsyncClient, playing: Any) -> None:
    data = {"transaction_reference": "pay-1", "refund_reference": None, "amount": "100", "status": "pending"}
    notice = {"event": "refund.pending", "data": data}
    await send(client, notice)
    await settle_all()
    delivered, lost = event(notice, 1, status="Delivered"), event(notice, 2, status="Failed")
    shutdown = playing(Archive(delivered, lost))
    assert await fill(shutdown) == BackfillReport(seen=2, stored=1, complete=True)
    assert await fill(shutdown) == BackfillReport(seen=2, stored=0, complete=True)
    assert [each.outcome for each in await stored()] == ["refund sync scheduled", None]


async def test_a_restored_database_gets_back_what_was_delivered_to_the_old_one(playing: Any) -> None:
    one = await payment()
    notice = charge(one.reference)
    shutdown = playing(Archive(event(notice, notice["data"]["id"], status="Delivered")))
    assert await fill(shutdown) == BackfillReport(seen=1, stored=1, complete=True)
    await settle_all()
    assert (await found(one.reference)).status == "succeeded"


async def test_an_event_without_its_payload_waits_for_a_person(playing: Any) -> None:
    shutdown = playing(Archive({"event_name": "charge.success", "category_row_id": 4711}))
    assert await fill(shutdown) == BackfillReport(seen=1, stored=1, complete=True)
    await settle_all()
    (notice,) = await stored()
    assert (notice.key, notice.identity, notice.status) == ("event-e0", "charge.success:4711", "failed")
    assert await fill(shutdown) == BackfillReport(seen=1, stored=0, complete=True)


@pytest.mark.parametrize(
    "payload",
    [
        charge("pay-1"),
        json.dumps(charge("pay-1")),
        charge("pay-1")["data"],
        json.dumps(charge("pay-1")["data"]),
    ],
    ids=["object", "text", "only its data", "its data as text"],
)
def test_the_payload_in_every_likely_form(payload: Any) -> None:
    told = parse_webhook_event({"_id": "x", "event_name": "charge.success", "event_payload": payload})
    assert told.body is not None
    assert json.loads(told.body) == charge("pay-1")


def test_text_is_taken_as_it_is() -> None:
    text = '{ "event":"charge.success", "data": {"x": 1.0} }'
    assert (
        parse_webhook_event({"_id": "x", "event_name": "charge.success", "event_payload": text}).body == text.encode()
    )


@pytest.mark.parametrize("payload", [None, "", "x", "[" * 100_000, 5, True])
def test_no_payload(payload: Any) -> None:
    assert parse_webhook_event({"_id": "x", "event_name": "charge.success", "event_payload": payload}).body is None


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(404, json={"status": False, "message": "no such thing"}),
        httpx.Response(500),
        httpx.Response(401, json={"status": False}),
        httpx.Response(429, json={"status": False}),
        httpx.Response(200, json={"status": True, "data": {}}),
        httpx.Response(200, json={"status": True, "data": [{"_id": "x"}]}),
        httpx.Response(200, json={"status": True, "data": [5]}),
    ],
    ids=str,
)
async def test_a_paystack_that_cannot_tell(playing: Any, answer: httpx.Response) -> None:
    shutdown = playing(lambda _: httpx.Response(answer.status_code, content=answer.content))
    told = await fill(shutdown)
    assert told is not None
    assert (told.complete, bool(told.error)) == (False, True)
    assert (await mark()).reached is None
    assert await fill(shutdown, timedelta(minutes=15)) is None  # not at once again


async def test_an_event_that_is_listed_and_not_known_holds_back_no_other(playing: Any) -> None:
    one = await payment()
    archive = Archive(event({"event": "moon.landed", "data": {}}), event(charge(one.reference)))

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/e1"):
            return httpx.Response(404, json={"status": False, "message": "Webhook not found"})
        return archive(request)

    assert await fill(playing(answer)) == BackfillReport(seen=2, stored=1, complete=True)


async def test_pages_that_go_round_in_circles_end(playing: Any) -> None:
    page = [event(charge("pay-1"), 1) | {"_id": "x"}]
    calls = []

    def answer(request: httpx.Request) -> httpx.Response:
        calls.append(request)
        return ok(page, meta={"next": "again"}) if request.url.path.endswith("events") else ok(page[0])

    told = await fill(playing(answer))
    assert told is not None
    assert told.complete
    assert len(calls) == 4


async def test_it_goes_on_where_the_last_one_ended(playing: Any) -> None:
    asked: list[datetime] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(datetime.fromisoformat(request.url.params["from"]))
        return ok([])

    shutdown, now = playing(answer), datetime.now(UTC)
    await fill(shutdown)
    await fill(shutdown)
    assert abs(asked[0] - (now - backfill.FIRST_PERIOD)) < timedelta(seconds=10)
    assert abs(asked[1] - (now - backfill.OVERLAP)) < timedelta(seconds=10)
    async with sessions.begin() as session:  # a night of downtime
        night = now - timedelta(hours=9)
        await session.execute(update(BackfillState).values(ran_at=night, reached=night))
    assert await fill(shutdown, timedelta(minutes=15)) is not None
    assert abs(asked[2] - (night - backfill.OVERLAP)) < timedelta(seconds=1)
    assert await fill(shutdown, timedelta(minutes=15)) is None


async def test_one_at_a_time_and_a_dead_one_lets_go(playing: Any) -> None:
    shutdown = playing(lambda _: ok([]))
    first, second = (Backfill(sessions, clients().paystack, notifier()) for _ in range(2))
    assert await first._claim(AT_ONCE) is not None  # and dies
    assert await second.catch_up(shutdown, AT_ONCE) is None
    async with sessions.begin() as session:
        await session.execute(update(BackfillState).values(leased_until=datetime.now(UTC)))
    assert await second.catch_up(shutdown, AT_ONCE) == BackfillReport(complete=True)
    assert (await mark()).holder is None


async def test_the_end_of_the_process_is_not_the_end_of_the_work(playing: Any) -> None:
    archive = Archive(*[event(charge((await payment()).reference)) for _ in range(5)])
    shutdown: Hurried

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/e2"):
            shutdown.request()
        return archive(request)

    shutdown = playing(answer)
    told = await fill(shutdown)
    assert told is not None
    assert (told.complete, told.stored) == (False, 3)
    assert (await mark()).reached is None
    assert await fill(playing(archive)) == BackfillReport(seen=5, stored=2, complete=True)


async def test_a_long_absence_keeps_to_the_limits(playing: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    played = Limited(clock, Archive(*(event({"event": "moon.landed", "data": {"n": n}}) for n in range(200))))
    running_app().state["clients"] = replace(clients(), configured_paystack=played.client())
    assert await fill(Hurried(clock)) == BackfillReport(seen=200, stored=200, complete=True)
    assert played.refused == 0
    assert max(played.made.values()) <= 82
