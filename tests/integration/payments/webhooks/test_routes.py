"""Operators list webhook events and reprocess them."""

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.audit.actor import Actor
from kit.messaging.entry_status import EntryStatus
from services.payments.db import sessions
from services.payments.webhooks import queries
from services.payments.webhooks.queries import Filter
from tests.factories.payments import create_payment
from tests.fakes.paystack import charge_success
from tests.fixtures.payments_jobs import process_webhook_events
from tests.fixtures.payments_requests import deliver, post_webhook
from tests.fixtures.payments_rows import execute, find_payment, outbox_types, webhook_events
from tests.fixtures.tokens import ADMIN, Signer

READER = frozenset({"payments:read"})
PATH = "/payments/webhook-events"


async def list_events(client: httpx.AsyncClient, signer: Signer, **query: Any) -> list[dict[str, Any]]:
    """Return the items of all pages, two items each."""
    items: list[dict[str, Any]] = []
    while True:
        params = {**query, "limit": 2}
        answer = await client.get(PATH, params=params, headers=signer.headers(scopes=READER))
        assert answer.status_code == 200, answer.text
        items += answer.json()["items"]
        query["cursor"] = answer.json()["next_cursor"]
        if query["cursor"] is None:
            return items


async def reprocess(client: httpx.AsyncClient, signer: Signer, **body: Any) -> httpx.Response:
    return await client.post(f"{PATH}/reprocess", json=body, headers=signer.headers(scopes=ADMIN))


async def create_events(client: httpx.AsyncClient) -> list[str]:
    """Process five charges, an ignored event, an unknown one and one that fails. Return the references of the charges."""
    references = [(await create_payment()).reference for _ in range(5)]
    for reference in references:
        await post_webhook(client, charge_success(reference))
    await post_webhook(client, {"event": "transfer.success", "data": {"id": 1}})
    await post_webhook(client, {"event": "moon.landed", "data": {}})
    await deliver(client, b"no webhook")
    return references


async def test_list_shows_events_newest_first_and_filters_them(client: httpx.AsyncClient, signer: Signer) -> None:
    references = await create_events(client)
    everything = await list_events(client, signer)
    assert [item["id"] for item in everything] == sorted((event.id for event in await webhook_events()), reverse=True)
    assert [item["handling"] for item in everything] == [None, "unknown", "ignored", *["used"] * 5]
    assert [item["status"] for item in everything] == ["failed", *["processed"] * 7]
    assert "body" not in everything[0]
    (one,) = await list_events(client, signer, reference=references[2])
    assert (one["event"], one["outcome"]) == ("charge.success", "succeeded")
    assert len(await list_events(client, signer, event="charge.success")) == 5
    assert [item["event"] for item in await list_events(client, signer, event="moon.landed")] == ["moon.landed"]
    errors = [item["error"] for item in await list_events(client, signer, status="failed")]
    assert errors == ["not JSON: JSONDecodeError"]
    now = datetime.now(UTC)
    assert len(await list_events(client, signer, **{"from": (now - timedelta(minutes=5)).isoformat()})) == 8
    assert await list_events(client, signer, to=(now - timedelta(minutes=5)).isoformat()) == []


async def test_read_shows_the_event_as_it_arrived(client: httpx.AsyncClient, signer: Signer) -> None:
    for body in (b'{"event":"moon.landed","data":"\\u0000 \xc3\xa9"}', b"\xff\xfe\x00"):
        await post_webhook(client, body)
    await process_webhook_events()
    shown = []
    for event in await webhook_events():
        answer = await client.get(f"{PATH}/{event.id}", headers=signer.headers(scopes=READER))
        assert answer.status_code == 200, answer.text
        shown.append(answer.json())
    assert (shown[0]["body"], shown[0]["body_encoding"]) == ('{"event":"moon.landed","data":"\\u0000 é"}', "utf-8")
    assert (base64.b64decode(shown[1]["body"]), shown[1]["body_encoding"]) == (b"\xff\xfe\x00", "base64")
    assert len(shown[0]["headers"]["x-paystack-signature"]) == 128


@pytest.mark.parametrize("path", [PATH, f"{PATH}/1"])
async def test_events_when_the_caller_is_no_operator_are_refused(
    client: httpx.AsyncClient, signer: Signer, path: str
) -> None:
    assert (await client.get(path)).status_code == 401
    assert (await client.get(path, headers=signer.headers())).status_code == 403
    reader = signer.headers(scopes=READER)
    denied = await client.post(f"{PATH}/reprocess", json={"ids": [1]}, headers=reader)
    assert denied.status_code == 403


@pytest.mark.parametrize("odd", ["0", "-1", "x", str(2**63), "1.5", "%00"])
async def test_read_when_the_id_is_invalid_answers_422(client: httpx.AsyncClient, signer: Signer, odd: str) -> None:
    answer = await client.get(f"{PATH}/{odd}", headers=signer.headers(scopes=READER))
    assert answer.status_code == 422


async def test_read_when_the_id_is_unknown_answers_404(client: httpx.AsyncClient, signer: Signer) -> None:
    answer = await client.get(f"{PATH}/{2**63 - 1}", headers=signer.headers(scopes=READER))
    assert (answer.status_code, answer.json()["code"]) == (404, "webhook_event_not_found")


@pytest.mark.parametrize(
    "query",
    [
        {"status": "lost"},
        {"event": "\x00"},
        {"event": "e" * 201},
        {"reference": "é"},
        {"from": "yesterday"},
        {"from": "1764000000"},
        {"from": "2026-11-23T00:00:00"},
        {"to": "0001-01-01T00:00:00+14:00"},
        {"limit": "0"},
        {"limit": "101"},
    ],
)
async def test_list_when_a_filter_is_invalid_answers_422(
    client: httpx.AsyncClient, signer: Signer, query: dict[str, str]
) -> None:
    answer = await client.get(PATH, params=query, headers=signer.headers(scopes=READER))
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_list_when_the_cursor_is_unreadable_answers_400(client: httpx.AsyncClient, signer: Signer) -> None:
    answer = await client.get(PATH, params={"cursor": "bm8"}, headers=signer.headers(scopes=READER))
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")


async def test_reprocess_when_an_event_failed_gives_it_all_its_attempts(
    client: httpx.AsyncClient, signer: Signer
) -> None:
    late = charge_success("pay-late")
    del late["data"]["currency"]  # it cannot be read, and its reference is unknown: it fails
    await deliver(client, late)
    (event,) = await webhook_events()
    assert (event.status, event.attempts) == ("failed", 1)
    await create_payment("pay-late")  # the operator has found out why
    answer = await reprocess(client, signer, status="failed")
    assert (answer.status_code, answer.json()) == (202, {"count": 1, "next_cursor": None})
    (event,) = await webhook_events()
    assert (event.status, event.attempts) == ("pending", 0)
    await process_webhook_events()
    (event,) = await webhook_events()
    assert (event.status, event.outcome, event.error) == ("processed", "verification scheduled", None)


async def test_reprocess_when_events_were_processed_repeats_no_effect(
    client: httpx.AsyncClient, signer: Signer
) -> None:
    references = await create_events(client)
    before = await outbox_types()
    assert (await reprocess(client, signer, event="charge.success")).json()["count"] == 5
    await process_webhook_events()
    assert await outbox_types() == before
    assert {(await find_payment(reference)).status for reference in references} == {"succeeded"}
    assert [event.outcome for event in await webhook_events()][:5] == ["unchanged: succeeded"] * 5


async def test_reprocess_when_ids_or_times_are_given_takes_those_events(
    client: httpx.AsyncClient, signer: Signer
) -> None:
    await create_events(client)
    ids = [event.id for event in await webhook_events()]
    assert (await reprocess(client, signer, ids=[*ids[:2], 2**62])).json()["count"] == 2
    await process_webhook_events()
    await execute("UPDATE webhook_events SET received_at = now() - interval '2h' WHERE id = :id", id=ids[0])
    an_hour_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    assert (await reprocess(client, signer, to=an_hour_ago)).json()["count"] == 1
    assert (await reprocess(client, signer, **{"from": an_hour_ago}, status="processed")).json()["count"] == 6


async def test_page_when_a_period_is_given_finds_the_events_of_the_period() -> None:
    await execute(
        "INSERT INTO webhook_events (key, body, status, received_at)"
        " SELECT 'many-' || n, '{}', 'processed', now() - (1000 - n) * interval '1 minute'"
        " FROM generate_series(1, 1000) AS n WHERE n % 7 <> 0"
    )
    await execute(
        "DELETE FROM webhook_events WHERE received_at BETWEEN now() - '9h'::interval AND now() - '8h'::interval"
    )
    now = datetime.now(UTC)
    for begin, end in ((16, 15), (10, 7), (8.9, 8.1), (30, 20), (0.05, -1), (1, 0.5)):
        since, until = now - timedelta(hours=begin), now - timedelta(hours=end)
        wanted = [event.id for event in await webhook_events() if since <= event.received_at < until]
        async with sessions() as session:
            found = [row.id for row in await queries.list_page(session, Filter(since=since, until=until), 1000)]
        assert found == wanted[::-1]


async def test_reprocess_when_events_are_postponed_makes_them_due_and_leaves_due_ones(
    client: httpx.AsyncClient, signer: Signer
) -> None:
    await create_events(client)
    await execute("UPDATE webhook_events SET status = 'pending', next_attempt_at = now() + interval '6h'")
    assert (await reprocess(client, signer, status="pending")).json()["count"] == 8
    assert (await reprocess(client, signer, status="pending")).json()["count"] == 0


async def test_reprocess_when_a_worker_has_an_event_locked_skips_it(client: httpx.AsyncClient, signer: Signer) -> None:
    await create_events(client)
    ids = [event.id for event in await webhook_events()]
    async with sessions() as holder:
        await holder.execute(text("SELECT 1 FROM webhook_events WHERE id = :it FOR UPDATE"), {"it": ids[0]})
        assert (await reprocess(client, signer, event="charge.success")).json()["count"] == 4
        await holder.rollback()


async def test_reprocess_when_there_are_many_events_answers_with_a_cursor(
    client: httpx.AsyncClient, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await execute(
        "INSERT INTO webhook_events (key, body, status, event) SELECT 'many-' || n, '{}', 'processed', 'moon.landed'"
        " FROM generate_series(1, 1300) AS n"
    )
    monkeypatch.setattr(queries, "REPROCESS_BATCH", 100)
    monkeypatch.setattr(queries.reprocess, "__defaults__", (0, 500))
    counts, cursor = [], None
    while True:
        answer = (await reprocess(client, signer, event="moon.landed", cursor=cursor)).json()
        counts.append(answer["count"])
        cursor = answer["next_cursor"]
        if cursor is None:
            break
    assert counts == [500, 500, 300]
    assert {event.status for event in await webhook_events()} == {"pending"}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"ids": []},
        {"ids": [0]},
        {"ids": list(range(1, 1002))},
        {"ids": ["x"]},
        {"status": "lost"},
        {"from": "x"},
        {"from": 1764000000},
        {"cursor": None},
        {"event": "x", "more": 1},
    ],
)
async def test_reprocess_when_the_request_is_invalid_answers_422(
    client: httpx.AsyncClient, signer: Signer, body: dict[str, Any]
) -> None:
    answer = await reprocess(client, signer, **body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_key_of_a_stored_event_is_the_hash_of_its_body(client: httpx.AsyncClient) -> None:
    body = b'{"event":"moon.landed","data":{}}'
    await post_webhook(client, body)
    assert [event.key for event in await webhook_events()] == [hashlib.sha256(body).hexdigest()]


async def test_reprocess_when_the_plan_is_bad_takes_no_more_than_a_batch_at_once(
    bad_plans: async_sessionmaker[AsyncSession], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "REPROCESS_BATCH", 10)
    await execute(
        "INSERT INTO webhook_events (key, body, status)"
        " SELECT 'many-' || n, '{}', 'processed' FROM generate_series(1, 30) AS n"
    )
    counts, after = [], 0
    while True:
        count, last = await queries.reprocess(
            bad_plans, Filter(status=EntryStatus.PROCESSED), Actor(id="operator-1"), after, 10
        )
        counts.append(count)
        if last is None:
            break
        after = last
    assert counts[:3] == [10, 10, 10]
