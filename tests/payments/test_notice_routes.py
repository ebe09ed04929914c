"""Operators look through the notices and have them handled again."""

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text, update

from services.payments.db import sessions
from services.payments.webhooks import queries
from services.payments.webhooks.models import WebhookEvent
from services.payments.webhooks.queries import Filter
from tests.conftest import ADMIN, Signer
from tests.payments.conftest import charge, found, outbox_types, payment, send, settle_all, stored

LOOKING = frozenset({"payments:read"})


async def listed(client: httpx.AsyncClient, signer: Signer, **query: Any) -> list[dict[str, Any]]:
    """All pages, two items each."""
    items: list[dict[str, Any]] = []
    while True:
        params = {**query, "limit": 2}
        answer = await client.get("/payments/webhook-events", params=params, headers=signer.headers(scopes=LOOKING))
        assert answer.status_code == 200, answer.text
        items += answer.json()["items"]
        query["cursor"] = answer.json()["next_cursor"]
        if query["cursor"] is None:
            return items


async def replay(client: httpx.AsyncClient, signer: Signer, **body: Any) -> httpx.Response:
    return await client.post("/payments/webhook-events/reprocess", json=body, headers=signer.headers(scopes=ADMIN))


async def some(client: httpx.AsyncClient) -> list[str]:
    """Five paid, one ignored, one unknown, one that waits for a person; settled."""
    references = [(await payment()).reference for _ in range(5)]
    for reference in references:
        await send(client, charge(reference))
    await send(client, {"event": "transfer.success", "data": {"id": 1}})
    await send(client, {"event": "moon.landed", "data": {}})
    await send(client, b"no notice")
    await settle_all()
    return references


async def test_the_list(client: httpx.AsyncClient, signer: Signer) -> None:
    references = await some(client)
    everything = await listed(client, signer)
    assert [item["id"] for item in everything] == sorted((notice.id for notice in await stored()), reverse=True)
    assert [item["handling"] for item in everything] == [None, "unknown", "ignored", *["processed"] * 5]
    assert [item["status"] for item in everything] == ["failed", *["processed"] * 7]
    assert "body" not in everything[0]
    (one,) = await listed(client, signer, reference=references[2])
    assert (one["event"], one["outcome"]) == ("charge.success", "succeeded")
    assert len(await listed(client, signer, event="charge.success")) == 5
    assert [item["event"] for item in await listed(client, signer, event="moon.landed")] == ["moon.landed"]
    assert [item["error"] for item in await listed(client, signer, status="failed")] == ["not JSON: JSONDecodeError"]
    now = datetime.now(UTC)
    assert len(await listed(client, signer, **{"from": (now - timedelta(minutes=5)).isoformat()})) == 8
    assert await listed(client, signer, to=(now - timedelta(minutes=5)).isoformat()) == []


async def test_one_as_it_came(client: httpx.AsyncClient, signer: Signer) -> None:
    for body in (b'{"event":"moon.landed","data":"\\u0000 \xc3\xa9"}', b"\xff\xfe\x00"):
        await send(client, body)
    await settle_all()
    shown = []
    for notice in await stored():
        answer = await client.get(f"/payments/webhook-events/{notice.id}", headers=signer.headers(scopes=LOOKING))
        assert answer.status_code == 200, answer.text
        shown.append(answer.json())
    assert (shown[0]["body"], shown[0]["body_encoding"]) == ('{"event":"moon.landed","data":"\\u0000 é"}', "utf-8")
    assert (base64.b64decode(shown[1]["body"]), shown[1]["body_encoding"]) == (b"\xff\xfe\x00", "base64")
    assert len(shown[0]["headers"]["x-paystack-signature"]) == 128


@pytest.mark.parametrize("path", ["/payments/webhook-events", "/payments/webhook-events/1"])
async def test_only_operators_look(client: httpx.AsyncClient, signer: Signer, path: str) -> None:
    assert (await client.get(path)).status_code == 401
    assert (await client.get(path, headers=signer.headers())).status_code == 403
    decides = frozenset({"payments:read"})
    denied = await client.post(
        "/payments/webhook-events/reprocess", json={"ids": [1]}, headers=signer.headers(scopes=decides)
    )
    assert denied.status_code == 403


@pytest.mark.parametrize("odd", ["0", "-1", "x", str(2**63), "1.5", "%00"])
async def test_an_odd_id(client: httpx.AsyncClient, signer: Signer, odd: str) -> None:
    answer = await client.get(f"/payments/webhook-events/{odd}", headers=signer.headers(scopes=LOOKING))
    assert answer.status_code == 422


async def test_no_such_notice(client: httpx.AsyncClient, signer: Signer) -> None:
    answer = await client.get(f"/payments/webhook-events/{2**63 - 1}", headers=signer.headers(scopes=LOOKING))
    assert (answer.status_code, answer.json()["code"]) == (404, "notice_not_found")


@pytest.mark.parametrize(
    "query",
    [
        {"status": "lost"},
        {"event": "\x00"},
        {"event": "e" * 201},
        {"reference": "é"},
        {"from": "yesterday"},
        {"from": "2026-11-23T00:00:00"},
        {"to": "0001-01-01T00:00:00+14:00"},
        {"limit": "0"},
        {"limit": "101"},
    ],
)
async def test_odd_filters(client: httpx.AsyncClient, signer: Signer, query: dict[str, str]) -> None:
    answer = await client.get("/payments/webhook-events", params=query, headers=signer.headers(scopes=LOOKING))
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_a_cursor_of_another_list(client: httpx.AsyncClient, signer: Signer) -> None:
    answer = await client.get(
        "/payments/webhook-events", params={"cursor": "bm8"}, headers=signer.headers(scopes=LOOKING)
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")


async def test_what_failed_is_replayed_with_all_its_tries(client: httpx.AsyncClient, signer: Signer) -> None:
    late = charge("pay-late")
    del late["data"]["currency"]  # not ours to ask about: it waits for a person
    await send(client, late)
    await settle_all()
    (notice,) = await stored()
    assert (notice.status, notice.attempts) == ("failed", 1)
    await payment("pay-late")  # the person found out why
    answer = await replay(client, signer, status="failed")
    assert (answer.status_code, answer.json()) == (202, {"count": 1, "next_cursor": None})
    (notice,) = await stored()
    assert (notice.status, notice.attempts) == ("pending", 0)
    await settle_all()
    (notice,) = await stored()
    assert (notice.status, notice.outcome, notice.error) == ("processed", "verification scheduled", None)


async def test_replaying_what_is_done_does_nothing_twice(client: httpx.AsyncClient, signer: Signer) -> None:
    references = await some(client)
    before = await outbox_types()
    assert (await replay(client, signer, event="charge.success")).json()["count"] == 5
    await settle_all()
    assert await outbox_types() == before
    assert {(await found(reference)).status for reference in references} == {"succeeded"}
    assert [notice.outcome for notice in await stored()][:5] == ["unchanged: succeeded"] * 5


async def test_by_id_and_by_time(client: httpx.AsyncClient, signer: Signer) -> None:
    await some(client)
    ids = [notice.id for notice in await stored()]
    assert (await replay(client, signer, ids=[*ids[:2], 2**62])).json()["count"] == 2
    await settle_all()
    async with sessions.begin() as session:
        await session.execute(
            update(WebhookEvent).where(WebhookEvent.id == ids[0]).values(received_at=text("now() - interval '2h'"))
        )
    an_hour_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    assert (await replay(client, signer, to=an_hour_ago)).json()["count"] == 1
    assert (await replay(client, signer, **{"from": an_hour_ago}, status="processed")).json()["count"] == 6


async def test_a_time_is_found_among_many(client: httpx.AsyncClient, signer: Signer) -> None:
    async with sessions.begin() as session:
        await session.execute(
            text(
                "INSERT INTO webhook_events (key, body, status, received_at)"
                " SELECT 'many-' || n, '{}', 'processed', now() - (1000 - n) * interval '1 minute'"
                " FROM generate_series(1, 1000) AS n WHERE n % 7 <> 0"
            )
        )
        await session.execute(
            text(
                "DELETE FROM webhook_events WHERE received_at BETWEEN now() - '9h'::interval AND now() - '8h'::interval"
            )
        )
    now = datetime.now(UTC)
    for begin, end in ((16, 15), (10, 7), (8.9, 8.1), (30, 20), (0.05, -1), (1, 0.5)):
        since, until = now - timedelta(hours=begin), now - timedelta(hours=end)
        wanted = [notice.id for notice in await stored() if since <= notice.received_at < until]
        async with sessions() as session:
            assert [row.id for row in await queries.list_page(session, Filter(since=since, until=until), 1000)] == wanted[
                ::-1
            ]


async def test_what_is_postponed_is_due_at_once_and_what_is_due_stays(
    client: httpx.AsyncClient, signer: Signer
) -> None:
    await some(client)
    async with sessions.begin() as session:
        await session.execute(
            update(WebhookEvent).values(status="pending", next_attempt_at=text("now() + interval '6h'"))
        )
    assert (await replay(client, signer, status="pending")).json()["count"] == 8
    assert (await replay(client, signer, status="pending")).json()["count"] == 0


async def test_what_a_worker_has_in_hand_is_passed_over(client: httpx.AsyncClient, signer: Signer) -> None:
    await some(client)
    ids = [notice.id for notice in await stored()]
    async with sessions() as holder:
        await holder.execute(text("SELECT 1 FROM webhook_events WHERE id = :it FOR UPDATE"), {"it": ids[0]})
        assert (await replay(client, signer, event="charge.success")).json()["count"] == 4
        await holder.rollback()


async def test_many_are_replayed_in_bounded_goes(
    client: httpx.AsyncClient, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with sessions.begin() as session:
        await session.execute(
            text(
                "INSERT INTO webhook_events (key, body, status, event) SELECT 'many-' || n, '{}', 'processed', 'moon.landed'"
                " FROM generate_series(1, 1300) AS n"
            )
        )
    monkeypatch.setattr(queries, "REPLAY_BATCH", 100)
    monkeypatch.setattr(queries.reprocess, "__defaults__", (0, 500))
    counts, cursor = [], None
    while True:
        answer = (await replay(client, signer, event="moon.landed", cursor=cursor)).json()
        counts.append(answer["count"])
        cursor = answer["next_cursor"]
        if cursor is None:
            break
    assert counts == [500, 500, 300]
    assert {notice.status for notice in await stored()} == {"pending"}


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
        {"cursor": None},
        {"event": "x", "more": 1},
    ],
)
async def test_odd_replays(client: httpx.AsyncClient, signer: Signer, body: dict[str, Any]) -> None:
    answer = await replay(client, signer, **body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_the_key_is_the_hash_of_the_body(client: httpx.AsyncClient) -> None:
    body = b'{"event":"moon.landed","data":{}}'
    await send(client, body)
    assert [notice.key for notice in await stored()] == [hashlib.sha256(body).hexdigest()]
