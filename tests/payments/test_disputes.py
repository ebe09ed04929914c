"""Disputes are recorded with their clock and followed to the end, whatever of the notices comes, twice, late or never."""

import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from contracts.events import PaymentDisputed, PaymentDisputeResolved, PaymentRefunded
from services.payments.db import sessions
from tests.payments.bank import Bank, dispute, notice
from tests.payments.complaints import (
    LISTED,
    NUMBERS,
    disputed,
    look,
    look_at_refunds,
    lost,
    paid,
    refunds,
    tell,
    the_dispute,
    won,
)
from tests.payments.conftest import FIXTURES, charge, found, outbox, outbox_types, payment, stored


async def test_a_dispute_is_recorded_and_told(client: httpx.AsyncClient, bank: Bank, operator: dict[str, str]) -> None:
    one, body = await disputed(client, bank)
    assert (await found(one.reference)).status == "disputed"
    (event,) = await outbox()
    assert isinstance(event, PaymentDisputed)
    assert (event.data.dispute_id, event.data.disputed_amount, event.subject) == (body["id"], 50_000, str(one.order_id))
    assert event.data.due_at == datetime(2099, 11, 25, 18, tzinfo=UTC)
    shown = (await client.get(f"/payments/disputes/{body['id']}", headers=operator)).json()
    assert shown["reference"] == one.reference
    assert (shown["status"], shown["amount"], shown["lost"]) == ("awaiting-merchant-feedback", 50_000, None)
    (kept,) = await stored()
    assert kept.outcome == "awaiting-merchant-feedback"


async def test_the_clock_is_sixteen_hours_where_paystack_does_not_say(client: httpx.AsyncClient, bank: Bank) -> None:
    _, body = await disputed(client, bank, dueAt=None)
    kept = await the_dispute(body["id"])
    assert kept.due_at - kept.opened_at == timedelta(hours=16)


async def test_notices_twice_and_reminders_change_nothing(client: httpx.AsyncClient, bank: Bank) -> None:
    one, body = await disputed(client, bank)
    remind = notice("remind", body | {"updatedAt": "2026-11-24T22:00:00.000Z"})
    await tell(client, notice("create", body), remind, remind)
    await look()
    assert await outbox_types() == ["payment.disputed"]
    assert (await found(one.reference)).status == "disputed"


async def test_won_the_money_stays(client: httpx.AsyncClient, bank: Bank) -> None:
    one, body = await disputed(client, bank)
    bank.disputes[body["id"]] = won(body)
    await tell(client, notice("resolve", won(body)))
    await look()
    assert (await found(one.reference)).status == "succeeded"
    assert await refunds() == []
    _, event = await outbox()
    assert isinstance(event, PaymentDisputeResolved)
    assert (event.data.lost, event.data.resolution) == (False, "declined")
    assert (await the_dispute(body["id"])).next_attempt_at is None


@pytest.mark.parametrize("resolution", ["merchant-accepted", "auto-accepted"])
async def test_lost_the_money_goes_back(client: httpx.AsyncClient, bank: Bank, resolution: str) -> None:
    one, body = await disputed(client, bank)
    bank.disputes[body["id"]] = lost(body, resolution)
    await tell(client, notice("resolve", lost(body, resolution)))
    await look()
    await look_at_refunds()
    (refund,) = await refunds()
    assert (refund.requested_by, refund.amount, refund.status) == ("paystack", 50_000, "processed")
    standing = await found(one.reference)
    assert (standing.status, standing.refunded_amount) == ("refunded", 50_000)
    _, resolved, refunded = await outbox()
    assert isinstance(resolved, PaymentDisputeResolved)
    assert resolved.data.lost
    assert isinstance(refunded, PaymentRefunded)
    assert refunded.data.refunded_amount == 50_000
    assert bank.calls("/refund") == [{"transaction": str(one.id), "perPage": "100"}]  # asked, never sent
    assert (await the_dispute(body["id"])).next_attempt_at is None


async def test_a_part_lost_is_a_partial_refund(client: httpx.AsyncClient, bank: Bank) -> None:
    one, body = await disputed(client, bank)
    bank.disputes[body["id"]] = lost(body) | {"refund_amount": 20_000}
    await tell(client, notice("resolve", body))
    await look()
    await look_at_refunds()
    assert (await found(one.reference)).status == "partially_refunded"
    assert [refund.amount for refund in await refunds()] == [20_000]


@pytest.mark.parametrize("first", ["the dispute", "the refund"])
async def test_a_refund_that_paystack_lists_too_is_one(client: httpx.AsyncClient, bank: Bank, first: str) -> None:
    one, body = await disputed(client, bank)
    bank.disputes[body["id"]] = lost(body)
    if first == "the refund":
        bank.refunds = [LISTED]
        async with sessions.begin() as session:
            await session.execute(text("UPDATE payments SET refunds_next_attempt_at = now()"))
        await look_at_refunds()
    await tell(client, notice("resolve", lost(body)))
    await look()
    bank.refunds = [LISTED]
    await look_at_refunds()
    (refund,) = await refunds()
    assert (refund.paystack_id, refund.dispute_id, refund.amount) == (77, body["id"], 50_000)
    assert (await found(one.reference)).refunded_amount == 50_000
    assert (await outbox_types()).count("payment.refunded") == 1


async def test_a_refund_is_not_done_before_paystack_says_so(client: httpx.AsyncClient, bank: Bank) -> None:
    one, body = await disputed(client, bank)
    on_its_way = lost(body) | {"transaction": body["transaction"] | {"status": "reversal-pending"}}
    bank.disputes[body["id"]] = on_its_way
    await tell(client, notice("resolve", on_its_way))
    await look()
    await look_at_refunds()
    assert [refund.status for refund in await refunds()] == ["pending"]
    assert (await found(one.reference)).refunded_amount == 0
    bank.disputes[body["id"]] = lost(body)
    async with sessions.begin() as session:
        await session.execute(text("UPDATE disputes SET next_attempt_at = now()"))
    await look()
    await look_at_refunds()
    assert (await found(one.reference)).status == "refunded"


@pytest.mark.parametrize("order", list(itertools.permutations(["create", "remind", "resolve"])))
async def test_any_order_of_notices_ends_the_same(
    client: httpx.AsyncClient, bank: Bank, order: tuple[str, ...]
) -> None:
    one = await paid()
    opened = dispute(next(NUMBERS), one.reference)
    bodies = {"create": opened, "remind": opened | {"updatedAt": "2026-11-24T22:00:00.000Z"}, "resolve": won(opened)}
    bank.disputes[opened["id"]] = won(opened)
    for kind in order:
        await tell(client, notice(kind, bodies[kind]))
        await look()
    assert (await found(one.reference)).status == "succeeded"
    assert (await outbox_types()).count("payment.dispute_resolved") == 1
    assert (await the_dispute(opened["id"])).status == "resolved"


async def test_an_old_answer_does_not_undo_a_new_one(client: httpx.AsyncClient, bank: Bank) -> None:
    _, body = await disputed(client, bank)
    newer = body | {"status": "awaiting-bank-feedback", "updatedAt": "2026-11-24T20:00:00.000Z"}
    bank.disputes[body["id"]] = newer
    await look()
    bank.disputes[body["id"]] = body
    async with sessions.begin() as session:
        await session.execute(text("UPDATE disputes SET next_attempt_at = now()"))
    await look()
    assert (await the_dispute(body["id"])).status == "awaiting-bank-feedback"


async def test_a_dispute_before_the_payment_was_heard_of(client: httpx.AsyncClient, bank: Bank) -> None:
    one = await payment(status="abandoned")
    body = dispute(next(NUMBERS), one.reference)
    bank.disputes[body["id"]] = body
    await tell(client, notice("create", body))
    asked = await found(one.reference)
    assert asked.status == "pending"
    assert asked.verify_next_attempt_at <= datetime.now(UTC)
    await tell(client, charge(one.reference))
    assert (await found(one.reference)).status == "succeeded"
    await look()
    assert (await found(one.reference)).status == "disputed"
    assert await outbox_types() == ["payment.disputed", "payment.succeeded"]


async def test_two_disputes_of_one_payment(client: httpx.AsyncClient, bank: Bank) -> None:
    one, first = await disputed(client, bank)
    second = dispute(next(NUMBERS), one.reference)
    bank.disputes[second["id"]] = second
    await tell(client, notice("create", second))
    bank.disputes[first["id"]] = won(first)
    await tell(client, notice("resolve", won(first)))
    await look()
    assert (await found(one.reference)).status == "disputed"
    bank.disputes[second["id"]] = won(second)
    await tell(client, notice("resolve", won(second)))
    await look()
    assert (await found(one.reference)).status == "succeeded"


async def test_money_of_nobody_is_shown(client: httpx.AsyncClient, bank: Bank, operator: dict[str, str]) -> None:
    body = dispute(next(NUMBERS), "another-system-1")
    await tell(client, notice("create", body))
    shown = (await client.get("/payments/disputes", headers=operator)).json()["items"]
    assert [(each["id"], each["reference"]) for each in shown] == [(body["id"], "another-system-1")]
    assert await outbox_types() == []


async def test_money_of_nobody_that_a_dispute_took_before_we_heard_of_it(client: httpx.AsyncClient, bank: Bank) -> None:
    body = dispute(next(NUMBERS), "another-system-1")
    bank.disputes[body["id"]] = lost(body)
    await tell(client, notice("resolve", lost(body)))
    await look()
    await tell(client, charge("another-system-1"))
    await look()
    await look_at_refunds()
    one = await found("another-system-1")
    assert (one.status, one.refunded_amount) == ("refunded", 50_000)
    assert (await the_dispute(body["id"])).payment_id == one.id


async def test_another_mode_touches_nothing(client: httpx.AsyncClient, bank: Bank) -> None:
    one = await paid()
    await tell(client, notice("create", dispute(next(NUMBERS), one.reference, domain="live")))
    (kept,) = await stored()
    assert (kept.status, kept.outcome) == ("processed", "ignored: mode_differs")
    assert (await found(one.reference)).status == "succeeded"


@pytest.mark.parametrize("name", ["create", "remind", "resolve"])
async def test_the_official_shapes(client: httpx.AsyncClient, bank: Bank, name: str) -> None:
    body = json.loads((FIXTURES / f"charge.dispute.{name}.json").read_bytes())
    body["data"] |= {"domain": "test"}
    one = await paid(reference=body["data"]["transaction"]["reference"], paid_amount=9_000_000)
    await tell(client, body)
    kept = await the_dispute(body["data"]["id"])
    assert (kept.payment_id, kept.amount, kept.currency) == (one.id, body["data"]["refund_amount"], "NGN")
    assert kept.lost is (True if name == "resolve" else None)


@pytest.mark.parametrize("data", [None, [], "x", {}, {"id": "x", "status": "resolved"}, {"id": 1, "status": 7}])
async def test_rubbish_waits_for_a_person(client: httpx.AsyncClient, bank: Bank, data: Any) -> None:
    await tell(client, {"event": "charge.dispute.create", "data": data})
    (kept,) = await stored()
    assert (kept.status, kept.outcome) == ("failed", "unreadable")
