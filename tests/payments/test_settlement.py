"""One transition, one event, one truth: however often, in whatever order and by whatever road a payment is told."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import text, update

from contracts.events import PaymentFailed, PaymentHeld, PaymentSucceeded
from kit.messaging import inbox, processor
from kit.messaging.inbox import EntryStatus
from services.payments.db import sessions
from services.payments.models import PaymentStatus
from services.payments.paystack.charge import parse_charge
from services.payments.settlement.settle import settle
from services.payments.webhooks import processing
from services.payments.webhooks.models import WebhookEvent
from tests.conftest import ADMIN, Signer
from tests.payments.conftest import charge, found, outbox, outbox_types, payment, send, settle_all, stored


async def told(*charges: dict[str, Any]) -> list[str]:
    """What settlement makes of charges that come in one batch."""
    async with sessions.begin() as session:
        return [one.outcome for one in await settle(session, [parse_charge(each["data"]) for each in charges])]


async def test_a_paid_order(client: httpx.AsyncClient) -> None:
    one = await payment(traceparent="00-" + "a" * 32 + "-" + "b" * 16 + "-01")
    await send(client, charge(one.reference))
    await settle_all()
    (event,) = await outbox()
    assert isinstance(event, PaymentSucceeded)
    assert (event.subject, event.traceparent) == (str(one.order_id), one.traceparent)
    assert event.data.model_dump(exclude={"paid_at"}) == {
        "reference": one.reference,
        "order_id": one.order_id,
        "amount": 50_000,
        "currency": "NGN",
        "paid_amount": 50_000,
        "channel": "card",
    }
    (notice,) = await stored()
    assert (notice.event, notice.reference, notice.outcome) == ("charge.success", one.reference, "succeeded")


HELD: dict[str, tuple[dict[str, Any], str]] = {
    "one subunit too little": ({"amount": 49_999}, "amount_differs"),
    "one subunit too much": ({"amount": 50_001}, "amount_differs"),
    "nothing": ({"amount": 0}, "amount_differs"),
    "a hundredfold": ({"amount": 5_000_000}, "amount_differs"),
    "fees, but not ours": ({"amount": 50_751, "requested_amount": 50_000, "fees": 750}, "amount_differs"),
    "a partial debit": ({"amount": 20_000, "requested_amount": 50_000}, "amount_differs"),
    "dollars": ({"currency": "USD"}, "currency_differs"),
    "live money": ({"domain": "live"}, "mode_differs"),
    "no such mode": ({"domain": "demo"}, "mode_differs"),
}


@pytest.mark.parametrize("name", HELD)
async def test_money_that_does_not_match_is_held(client: httpx.AsyncClient, signer: Signer, name: str) -> None:
    changes, reason = HELD[name]
    one = await payment()
    await send(client, charge(one.reference, **changes))
    await settle_all()
    (event,) = await outbox()
    assert isinstance(event, PaymentHeld)
    assert (event.data.reason, event.data.amount) == (reason, 50_000)
    payer = signer.headers("payer-1")
    shown = (await client.get(f"/payments/{one.reference}", headers=payer)).json()
    assert (shown["status"], shown["held_reason"]) == ("held", reason)
    assert shown["paid_amount"] == changes.get("amount", 50_000)
    listed = (await client.get("/payments", params={"status": "held"}, headers=payer)).json()
    assert [item["reference"] for item in listed["items"]] == [one.reference]
    # Held is for a person: told again, rightly this time, nothing is delivered behind their back.
    await send(client, charge(one.reference, id=7))
    await settle_all()
    assert await outbox_types() == ["payment.held"]


@pytest.mark.parametrize(
    "changes", [{"amount": 50_750, "requested_amount": 50_000, "fees": 750}, {"fees": None}, {"amount": "50000"}]
)
async def test_money_that_matches_in_other_words(client: httpx.AsyncClient, changes: dict[str, Any]) -> None:
    one = await payment()
    await send(client, charge(one.reference, **changes))
    await settle_all()
    assert await outbox_types() == ["payment.succeeded"]


async def test_money_under_a_reference_of_nobody_is_kept_and_shown(client: httpx.AsyncClient, signer: Signer) -> None:
    for _ in range(2):
        await send(client, charge("dva-4711", id=_))
    await settle_all()
    operator = signer.headers(scopes=ADMIN)
    shown = (await client.get("/payments/dva-4711", headers=operator)).json()
    assert (shown["status"], shown["held_reason"]) == ("held", "unknown_reference")
    assert (shown["paid_amount"], shown["order_id"]) == (50_000, None)
    assert (await client.get("/payments/dva-4711", headers=signer.headers())).status_code == 404
    listed = (await client.get("/payments", params={"status": "held"}, headers=operator)).json()
    assert [item["reference"] for item in listed["items"]] == ["dva-4711"]
    assert await outbox_types() == []


async def test_a_decline_under_a_reference_of_nobody_is_no_payment(client: httpx.AsyncClient, signer: Signer) -> None:
    await send(client, charge("dva-4711", status="failed"))
    await settle_all()
    assert (await client.get("/payments/dva-4711", headers=signer.headers(scopes=ADMIN))).status_code == 404
    assert [notice.status for notice in await stored()] == ["processed"]


async def test_the_same_notice_fifty_times_at_once(client: httpx.AsyncClient) -> None:
    one = await payment()
    body = charge(one.reference)
    answers = await asyncio.gather(*(send(client, body) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {200}
    await asyncio.gather(*(settle_all() for _ in range(5)))
    assert len(await stored()) == 1
    assert await outbox_types() == ["payment.succeeded"]


async def test_fifty_different_notices_of_one_payment(client: httpx.AsyncClient) -> None:
    one = await payment()
    await asyncio.gather(*(send(client, charge(one.reference, message=f"{n}")) for n in range(50)))
    await asyncio.gather(*(settle_all() for _ in range(5)))
    await settle_all()
    assert await outbox_types() == ["payment.succeeded"]
    outcomes = [str(notice.outcome) for notice in await stored()]
    assert sorted(outcomes) == ["unchanged: succeeded"] * 49 + ["succeeded"]


async def test_two_settlements_of_one_payment_at_once() -> None:
    one = await payment()
    outcomes = await asyncio.gather(*(told(charge(one.reference)) for _ in range(8)))
    assert sorted(outcome for (outcome,) in outcomes) == ["unchanged: succeeded"] * 7 + ["succeeded"]
    assert await outbox_types() == ["payment.succeeded"]


async def test_two_settlements_of_many_payments_in_opposite_order() -> None:
    ones = [await payment() for _ in range(20)]
    told_of = [charge(one.reference) for one in ones]
    await asyncio.gather(told(*told_of), told(*reversed(told_of)), told(*told_of))
    assert await outbox_types() == ["payment.succeeded"] * 20


async def test_failed_then_paid() -> None:
    one = await payment()
    assert await told(charge(one.reference, status="failed", gateway_response="Declined")) == ["failed"]
    assert await told(charge(one.reference)) == ["succeeded"]
    failed, _ = await outbox()
    assert isinstance(failed, PaymentFailed)
    assert failed.data.reason == "Declined"
    assert await outbox_types() == ["payment.failed", "payment.succeeded"]
    assert (await found(one.reference)).held_reason is None


@pytest.mark.parametrize("order", [("failed", "success"), ("success", "failed")])
async def test_failed_and_paid_in_one_batch(order: tuple[str, str]) -> None:
    one = await payment()
    await told(*(charge(one.reference, status=status) for status in order))
    assert (await found(one.reference)).status == "succeeded"
    assert await outbox_types() == ["payment.succeeded"]


async def test_paid_then_failed() -> None:
    one = await payment()
    assert await told(charge(one.reference)) == ["succeeded"]
    assert await told(charge(one.reference, status="failed")) == ["unchanged: succeeded"]
    after = await found(one.reference)
    assert (after.status, after.paid_amount) == ("succeeded", 50_000)
    assert await outbox_types() == ["payment.succeeded"]


@pytest.mark.parametrize("status", ["abandoned", "failed"])
async def test_money_that_comes_late_still_counts(status: str) -> None:
    one = await payment(status=status)
    assert await told(charge(one.reference)) == ["succeeded"]
    assert await outbox_types() == ["payment.succeeded"]


@pytest.mark.parametrize("status", ["succeeded", "held", "partially_refunded", "refunded", "disputed"])
@pytest.mark.parametrize("said", ["reversed", "reversal-pending", "failed", "abandoned", "success", "pending", "new"])
async def test_what_is_settled_is_not_undone(status: str, said: str) -> None:
    one = await payment(status=status)
    assert await told(charge(one.reference, status=said)) == [f"unchanged: {status}"]
    assert (await found(one.reference)).status == status
    assert await outbox_types() == []


@pytest.mark.parametrize("said", ["abandoned", "ongoing", "pending", "processing", "queued", "something new"])
async def test_what_is_not_decided_stays_pending(said: str) -> None:
    one = await payment()
    assert await told(charge(one.reference, status=said)) == ["unchanged: pending"]
    assert (await found(one.reference)).status == "pending"
    assert await outbox_types() == []


@pytest.mark.parametrize("said", ["reversed", "reversal-pending"])
@pytest.mark.parametrize("status", ["pending", "failed", "abandoned"])
async def test_paid_and_given_back_before_we_heard_of_it(status: str, said: str) -> None:
    one = await payment(status=status)
    assert await told(charge(one.reference, status=said)) == ["held: reversed"]
    assert (await found(one.reference)).held_reason == "reversed"
    assert await outbox_types() == []


async def test_a_locked_payment_makes_only_itself_wait(client: httpx.AsyncClient) -> None:
    ones = [await payment() for _ in range(5)]
    for one in ones:
        await send(client, charge(one.reference))
    async with sessions() as holder:
        await holder.execute(text("SELECT 1 FROM payments WHERE reference = :it FOR UPDATE"), {"it": ones[2].reference})
        async with sessions.begin() as session:
            await processor.process(
                session, WebhookEvent, await inbox.lock_due(session, WebhookEvent), processing.handle
            )
        await holder.rollback()
    rows = {row.reference or "": row for row in await stored()}
    waiting = [row for row in await stored() if row.status == "pending"]
    assert [row.status for row in rows.values()].count(EntryStatus.PROCESSED) == 4
    assert [(row.attempts, row.outcome) for row in waiting] == [(0, None)]
    assert "lock timeout" in (waiting[0].error or "")
    assert [(await found(one.reference)).status for one in ones].count(PaymentStatus.SUCCEEDED) == 4
    async with sessions.begin() as session:
        await session.execute(update(WebhookEvent).values(next_attempt_at=text("now()")))
    await settle_all()
    assert [row.attempts for row in await stored()] == [1] * 5
    assert (await found(ones[2].reference)).status == "succeeded"
    assert await outbox_types() == ["payment.succeeded"] * 5
