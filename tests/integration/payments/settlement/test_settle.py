"""One transition, one event, one outcome: however often, in whatever order and from whatever source a charge is settled."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from contracts.events import PaymentFailed, PaymentHeld, PaymentSucceeded
from services.payments.db import sessions
from services.payments.paystack.charge import parse_charge
from services.payments.settlement.settle import RecordedConcurrently, settle
from services.payments.statuses import PaymentStatus
from tests.factories.payments import create_payment
from tests.fakes.paystack import Json, charge, charge_success
from tests.fixtures.loops import until
from tests.fixtures.payments_jobs import process_webhook_events, settle_charges
from tests.fixtures.payments_requests import deliver, post_webhook
from tests.fixtures.payments_rows import execute, find_payment, outbox_events, outbox_types, webhook_events
from tests.fixtures.tokens import ADMIN, Signer


async def test_settle_when_the_order_is_paid_publishes_payment_succeeded(client: httpx.AsyncClient) -> None:
    one = await create_payment(traceparent="00-" + "a" * 32 + "-" + "b" * 16 + "-01")
    await deliver(client, charge_success(one.reference))
    (event,) = await outbox_events()
    assert isinstance(event, PaymentSucceeded)
    assert (event.subject, event.traceparent) == (str(one.order_id), one.traceparent)
    assert event.data.model_dump(exclude={"paid_at"}) == {
        "reference": one.reference,
        "order_id": one.order_id,
        "amount": 50_000,
        "currency": "NGN",
        "metadata": {},
        "paid_amount": 50_000,
        "channel": "card",
    }
    (stored,) = await webhook_events()
    assert (stored.event, stored.reference, stored.outcome) == ("charge.success", one.reference, "succeeded")


HELD: dict[str, tuple[Json, str]] = {
    "one subunit too little": ({"amount": 49_999}, "amount_differs"),
    "one subunit too much": ({"amount": 50_001}, "amount_differs"),
    "nothing": ({"amount": 0}, "amount_differs"),
    "a hundredfold": ({"amount": 5_000_000}, "amount_differs"),
    "fees that are not the difference": (
        {"amount": 50_751, "requested_amount": 50_000, "fees": 750},
        "amount_differs",
    ),
    "a partial debit": ({"amount": 20_000, "requested_amount": 50_000}, "amount_differs"),
    "dollars": ({"currency": "USD"}, "currency_differs"),
    "live money": ({"domain": "live"}, "mode_differs"),
    "an unknown mode": ({"domain": "demo"}, "mode_differs"),
}


@pytest.mark.parametrize("name", HELD)
async def test_settle_when_the_money_differs_holds_the_payment(
    client: httpx.AsyncClient, customer: dict[str, str], name: str
) -> None:
    changes, reason = HELD[name]
    one = await create_payment()
    await deliver(client, charge_success(one.reference, **changes))
    (event,) = await outbox_events()
    assert isinstance(event, PaymentHeld)
    assert (event.data.reason, event.data.amount) == (reason, 50_000)
    shown = (await client.get(f"/payments/{one.reference}", headers=customer)).json()
    assert (shown["status"], shown["held_reason"]) == ("held", reason)
    assert shown["paid_amount"] == changes.get("amount", 50_000)
    listed = (await client.get("/payments", params={"status": "held"}, headers=customer)).json()
    assert [item["reference"] for item in listed["items"]] == [one.reference]
    # An operator decides about held money: a second, correct charge does not deliver behind the operator's back.
    await deliver(client, charge_success(one.reference, id=7))
    assert await outbox_types() == ["payment.held"]


@pytest.mark.parametrize(
    "changes", [{"amount": 50_750, "requested_amount": 50_000, "fees": 750}, {"fees": None}, {"amount": "50000"}]
)
async def test_settle_when_the_money_matches_in_another_form_succeeds(client: httpx.AsyncClient, changes: Json) -> None:
    one = await create_payment()
    await deliver(client, charge_success(one.reference, **changes))
    assert await outbox_types() == ["payment.succeeded"]


async def test_settle_when_the_reference_is_unknown_holds_the_money_and_shows_it_to_operators(
    client: httpx.AsyncClient, signer: Signer
) -> None:
    await deliver(client, *(charge_success("pay-dva-4711", id=number) for number in range(2)))
    operator = signer.headers(scopes=ADMIN)
    shown = (await client.get("/payments/pay-dva-4711", headers=operator)).json()
    assert (shown["status"], shown["held_reason"]) == ("held", "unknown_reference")
    assert (shown["paid_amount"], shown["order_id"]) == (50_000, None)
    assert (await client.get("/payments/pay-dva-4711", headers=signer.headers())).status_code == 404
    listed = (await client.get("/payments", params={"status": "held"}, headers=operator)).json()
    assert [item["reference"] for item in listed["items"]] == ["pay-dva-4711"]
    assert await outbox_types() == []


async def test_settle_when_the_reference_is_unknown_and_the_charge_failed_creates_no_payment(
    client: httpx.AsyncClient, signer: Signer
) -> None:
    await deliver(client, charge_success("pay-dva-4711", status="failed"))
    assert (await client.get("/payments/pay-dva-4711", headers=signer.headers(scopes=ADMIN))).status_code == 404
    assert [event.status for event in await webhook_events()] == ["processed"]


async def test_settle_when_the_same_webhook_arrives_fifty_times_at_once_settles_once(client: httpx.AsyncClient) -> None:
    one = await create_payment()
    body = charge_success(one.reference)
    answers = await asyncio.gather(*(post_webhook(client, body) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {200}
    await asyncio.gather(*(process_webhook_events() for _ in range(5)))
    assert len(await webhook_events()) == 1
    assert await outbox_types() == ["payment.succeeded"]


async def test_settle_when_fifty_webhooks_of_one_payment_arrive_settles_once(client: httpx.AsyncClient) -> None:
    one = await create_payment()
    await asyncio.gather(*(post_webhook(client, charge_success(one.reference, message=f"{n}")) for n in range(50)))
    await asyncio.gather(*(process_webhook_events() for _ in range(5)))
    await process_webhook_events()
    assert await outbox_types() == ["payment.succeeded"]
    outcomes = [str(event.outcome) for event in await webhook_events()]
    assert sorted(outcomes) == ["succeeded"] + ["unchanged: succeeded"] * 49


async def test_settle_when_transactions_race_for_one_payment_settles_once() -> None:
    one = await create_payment()
    outcomes = await asyncio.gather(*(settle_charges(charge(one.reference)) for _ in range(8)))
    assert sorted(outcome for (outcome,) in outcomes) == ["succeeded"] + ["unchanged: succeeded"] * 7
    assert await outbox_types() == ["payment.succeeded"]


async def test_settle_when_batches_have_opposite_orders_does_not_deadlock() -> None:
    charges = [charge((await create_payment()).reference) for _ in range(20)]
    await asyncio.gather(settle_charges(*charges), settle_charges(*reversed(charges)), settle_charges(*charges))
    assert await outbox_types() == ["payment.succeeded"] * 20


async def test_settle_when_a_failed_payment_is_paid_succeeds() -> None:
    one = await create_payment()
    assert await settle_charges(charge(one.reference, status="failed", gateway_response="Declined")) == ["failed"]
    assert await settle_charges(charge(one.reference)) == ["succeeded"]
    failed, _ = await outbox_events()
    assert isinstance(failed, PaymentFailed)
    assert failed.data.reason == "Declined"
    assert await outbox_types() == ["payment.failed", "payment.succeeded"]
    assert (await find_payment(one.reference)).held_reason is None


@pytest.mark.parametrize("order", [("failed", "success"), ("success", "failed")])
async def test_settle_when_one_batch_says_failed_and_paid_succeeds(order: tuple[str, str]) -> None:
    one = await create_payment()
    await settle_charges(*(charge(one.reference, status=status) for status in order))
    assert (await find_payment(one.reference)).status == "succeeded"
    assert await outbox_types() == ["payment.succeeded"]


async def test_settle_when_a_paid_payment_is_said_to_have_failed_changes_nothing() -> None:
    one = await create_payment()
    assert await settle_charges(charge(one.reference)) == ["succeeded"]
    assert await settle_charges(charge(one.reference, status="failed")) == ["unchanged: succeeded"]
    after = await find_payment(one.reference)
    assert (after.status, after.paid_amount) == ("succeeded", 50_000)
    assert await outbox_types() == ["payment.succeeded"]


@pytest.mark.parametrize("status", ["abandoned", "failed"])
async def test_settle_when_money_comes_late_succeeds(status: str) -> None:
    one = await create_payment(status=status)
    assert await settle_charges(charge(one.reference)) == ["succeeded"]
    assert await outbox_types() == ["payment.succeeded"]


@pytest.mark.parametrize("status", ["succeeded", "held", "partially_refunded", "refunded", "disputed"])
@pytest.mark.parametrize("shown", ["reversed", "reversal-pending", "failed", "abandoned", "success", "pending", "new"])
async def test_settle_when_the_payment_is_settled_already_changes_nothing(status: str, shown: str) -> None:
    one = await create_payment(status=status)
    assert await settle_charges(charge(one.reference, status=shown)) == [f"unchanged: {status}"]
    assert (await find_payment(one.reference)).status == status
    assert await outbox_types() == []


@pytest.mark.parametrize("shown", ["abandoned", "ongoing", "pending", "processing", "queued", "something new"])
async def test_settle_when_the_charge_is_not_decided_leaves_the_payment_pending(shown: str) -> None:
    one = await create_payment()
    assert await settle_charges(charge(one.reference, status=shown)) == ["unchanged: pending"]
    assert (await find_payment(one.reference)).status == "pending"
    assert await outbox_types() == []


@pytest.mark.parametrize("shown", ["reversed", "reversal-pending"])
@pytest.mark.parametrize("status", ["pending", "failed", "abandoned"])
async def test_settle_when_the_charge_was_reversed_before_it_was_known_holds_it(status: str, shown: str) -> None:
    one = await create_payment(status=status)
    assert await settle_charges(charge(one.reference, status=shown)) == ["held: reversed"]
    assert (await find_payment(one.reference)).held_reason == "reversed"
    assert await outbox_types() == []


async def test_processing_when_one_payment_is_locked_delays_only_that_one(client: httpx.AsyncClient) -> None:
    ones = [await create_payment() for _ in range(5)]
    for one in ones:
        await post_webhook(client, charge_success(one.reference))
    async with sessions() as holder:
        await holder.execute(text("SELECT 1 FROM payments WHERE reference = :it FOR UPDATE"), {"it": ones[2].reference})
        await process_webhook_events()
        await holder.rollback()
    rows: dict[str, Any] = {row.reference or "": row for row in await webhook_events()}
    waiting = [row for row in await webhook_events() if row.status == "pending"]
    assert [row.status for row in rows.values()].count("processed") == 4
    assert [(row.attempts, row.outcome) for row in waiting] == [(0, None)]
    assert "lock timeout" in (waiting[0].error or "")
    assert [(await find_payment(one.reference)).status for one in ones].count(PaymentStatus.SUCCEEDED) == 4
    await execute("UPDATE webhook_events SET next_attempt_at = now()")
    await process_webhook_events()
    assert [row.attempts for row in await webhook_events()] == [1] * 5
    assert (await find_payment(ones[2].reference)).status == "succeeded"
    assert await outbox_types() == ["payment.succeeded"] * 5


OTHER_CHARGES: dict[str, Json] = {
    "another id": {"id": 4711},
    "another amount": {"amount": 40_000},
    "another currency": {"currency": "GHS"},
}


@pytest.mark.parametrize("name", OTHER_CHARGES)
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("together", [True, False])
async def test_settle_when_another_charge_has_the_reference_of_a_paid_one_needs_an_operator(
    client: httpx.AsyncClient, name: str, known: bool, together: bool
) -> None:
    reference = (await create_payment()).reference if known else "pay-of-nobody"
    for body in (
        charge_success(reference),
        charge_success(reference),
        charge_success(reference, **OTHER_CHARGES[name]),
    ):
        await post_webhook(client, body)
        if not together:
            await process_webhook_events()
    await process_webhook_events()
    *_, other = await webhook_events()
    assert (other.status, other.outcome) == ("failed", "conflict")
    assert "and this is the charge" in (other.error or "")
    found = await find_payment(reference)
    assert (found.status, found.paid_amount, found.paid_currency) == ("succeeded" if known else "held", 50_000, "NGN")
    assert len(await webhook_events()) == 2


async def test_settle_when_a_charge_with_the_same_unknown_reference_is_recorded_meanwhile_tries_again() -> None:
    first, second = charge("pay-of-nobody"), charge("pay-of-nobody", id=4711)

    async def settle_second() -> None:
        async with sessions.begin() as session:
            await settle(session, [parse_charge(second)])

    async with sessions.begin() as session:
        await settle(session, [parse_charge(first)])
        waiting = asyncio.create_task(settle_second())
        await until(is_waiting_for_a_lock)
    with pytest.raises(RecordedConcurrently):
        await waiting
    assert await settle_charges(second) == ["conflict"]


async def is_waiting_for_a_lock() -> bool:
    async with sessions() as session:
        found = await session.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted"))
        return bool(found.scalar_one())
