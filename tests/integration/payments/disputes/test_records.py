"""Disputes are recorded with their deadline and followed to the end, whether a webhook comes, comes twice, late or never."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from contracts.events import PaymentDisputed, PaymentDisputeResolved, PaymentRefunded
from tests.factories.payments import create_paid_payment, create_payment
from tests.fakes.paystack import FakePaystack, charge_success, dispute, dispute_event, transaction_id
from tests.fixtures.payments_jobs import Jobs
from tests.fixtures.payments_requests import create_disputed_payment, deliver, deliver_from
from tests.fixtures.payments_rows import (
    all_refunds,
    execute,
    find_dispute,
    find_payment,
    outbox_events,
    outbox_types,
    webhook_events,
)
from tests.fixtures.paystack_samples import sample

REMINDED_AT = "2026-11-24T22:00:00.000Z"


async def test_dispute_when_its_webhook_is_processed_is_recorded_and_published(
    client: httpx.AsyncClient, paystack: FakePaystack, operator: dict[str, str]
) -> None:
    one, body = await create_disputed_payment(client, paystack)
    assert (await find_payment(one.reference)).status == "disputed"
    (event,) = await outbox_events()
    assert isinstance(event, PaymentDisputed)
    assert (event.data.dispute_id, event.data.disputed_amount, event.subject) == (body["id"], 50_000, str(one.order_id))
    assert event.data.due_at == datetime(2099, 11, 25, 18, tzinfo=UTC)
    shown = (await client.get(f"/payments/disputes/{body['id']}", headers=operator)).json()
    assert shown["reference"] == one.reference
    assert (shown["status"], shown["amount"], shown["lost"]) == ("awaiting-merchant-feedback", 50_000, None)
    (stored,) = await webhook_events()
    assert stored.outcome == "awaiting-merchant-feedback"


async def test_due_at_when_paystack_does_not_say_is_sixteen_hours_after_opening(
    client: httpx.AsyncClient, paystack: FakePaystack
) -> None:
    _, body = await create_disputed_payment(client, paystack, dueAt=None)
    stored = await find_dispute(body["id"])
    assert stored.due_at - stored.opened_at == timedelta(hours=16)


async def test_dispute_when_webhooks_repeat_or_remind_stays_as_it_is(
    client: httpx.AsyncClient, paystack: FakePaystack, jobs: Jobs
) -> None:
    one, body = await create_disputed_payment(client, paystack)
    remind = dispute_event("remind", body | {"updatedAt": REMINDED_AT})
    await deliver(client, dispute_event("create", body), remind, remind)
    await jobs.poll_disputes()
    assert await outbox_types() == ["payment.disputed"]
    assert (await find_payment(one.reference)).status == "disputed"


async def test_dispute_when_it_is_won_leaves_the_payment_succeeded(
    client: httpx.AsyncClient, paystack: FakePaystack, jobs: Jobs
) -> None:
    one, body = await create_disputed_payment(client, paystack)
    paystack.resolve_dispute(body, lost=False)
    await deliver_from(client, paystack)
    await jobs.poll_disputes()
    assert (await find_payment(one.reference)).status == "succeeded"
    assert await all_refunds() == []
    _, event = await outbox_events()
    assert isinstance(event, PaymentDisputeResolved)
    assert (event.data.lost, event.data.resolution) == (False, "declined")
    assert (await find_dispute(body["id"])).next_attempt_at is None


@pytest.mark.parametrize("resolution", ["merchant-accepted", "auto-accepted"])
async def test_dispute_when_it_is_lost_refunds_the_payment(
    client: httpx.AsyncClient, paystack: FakePaystack, jobs: Jobs, resolution: str
) -> None:
    one, body = await create_disputed_payment(client, paystack)
    paystack.resolve_dispute(body, lost=True, resolution=resolution)
    await deliver_from(client, paystack)
    await jobs.poll_disputes()
    await jobs.execute_refunds()
    (refund,) = await all_refunds()
    assert (refund.requested_by, refund.amount, refund.status) == ("paystack", 50_000, "processed")
    stored = await find_payment(one.reference)
    assert (stored.status, stored.refunded_amount) == ("refunded", 50_000)
    _, resolved, refunded = await outbox_events()
    assert isinstance(resolved, PaymentDisputeResolved)
    assert resolved.data.lost
    assert isinstance(refunded, PaymentRefunded)
    assert refunded.data.refunded_amount == 50_000
    assert paystack.calls_to("refund") == []
    assert paystack.bodies_of("refunds") == [{"transaction": str(transaction_id(one.reference)), "perPage": "100"}]
    assert (await find_dispute(body["id"])).next_attempt_at is None


async def test_dispute_when_a_part_is_lost_refunds_that_part(
    client: httpx.AsyncClient, paystack: FakePaystack, jobs: Jobs
) -> None:
    one, body = await create_disputed_payment(client, paystack)
    paystack.resolve_dispute(body, lost=True, refund_amount=20_000)
    await deliver_from(client, paystack)
    await jobs.poll_disputes()
    await jobs.execute_refunds()
    assert (await find_payment(one.reference)).status == "partially_refunded"
    assert [refund.amount for refund in await all_refunds()] == [20_000]


@pytest.mark.parametrize("first", ["the dispute", "the refund"])
async def test_chargeback_when_paystack_lists_it_among_the_refunds_is_one_refund(
    client: httpx.AsyncClient, paystack: FakePaystack, jobs: Jobs, first: str
) -> None:
    one, body = await create_disputed_payment(client, paystack)
    paystack.resolve_dispute(body, lost=True, listed=True)
    (listed,) = paystack.transactions[one.reference].refunds
    if first == "the refund":
        await jobs.sync_refunds()
    await deliver_from(client, paystack)
    await jobs.poll_disputes()
    await jobs.execute_refunds()
    (refund,) = await all_refunds()
    assert (refund.paystack_id, refund.dispute_id, refund.amount) == (listed["id"], body["id"], 50_000)
    assert (await find_payment(one.reference)).refunded_amount == 50_000
    assert (await outbox_types()).count("payment.refunded") == 1


async def test_chargeback_when_the_reversal_is_pending_is_not_counted_yet(
    client: httpx.AsyncClient, paystack: FakePaystack, jobs: Jobs
) -> None:
    one, body = await create_disputed_payment(client, paystack)
    paystack.transactions[one.reference].changes["status"] = "reversal-pending"
    paystack.resolve_dispute(body, lost=True)
    await deliver_from(client, paystack)
    await jobs.poll_disputes()
    await jobs.execute_refunds()
    assert [refund.status for refund in await all_refunds()] == ["pending"]
    assert (await find_payment(one.reference)).refunded_amount == 0
    del paystack.transactions[one.reference].changes["status"]
    await execute("UPDATE disputes SET next_attempt_at = now()")
    await jobs.poll_disputes()
    await jobs.execute_refunds()
    assert (await find_payment(one.reference)).status == "refunded"


@pytest.mark.parametrize("order", list(itertools.permutations(["create", "remind", "resolve"])))
async def test_dispute_when_webhooks_come_in_any_order_ends_the_same(
    client: httpx.AsyncClient, paystack: FakePaystack, jobs: Jobs, order: tuple[str, ...]
) -> None:
    one = await create_paid_payment()
    opened = dict(paystack.open_dispute(paystack.add_transaction(one.reference), 50_000))
    resolved = paystack.resolve_dispute(paystack.disputes[opened["id"]], lost=False)
    bodies = {"create": opened, "remind": opened | {"updatedAt": REMINDED_AT}, "resolve": resolved}
    for kind in order:
        await deliver(client, dispute_event(kind, bodies[kind]))
        await jobs.poll_disputes()
    assert (await find_payment(one.reference)).status == "succeeded"
    assert (await outbox_types()).count("payment.dispute_resolved") == 1
    assert (await find_dispute(opened["id"])).status == "resolved"


async def test_apply_when_an_older_answer_arrives_keeps_the_newer_state(
    client: httpx.AsyncClient, paystack: FakePaystack, jobs: Jobs
) -> None:
    _, body = await create_disputed_payment(client, paystack)
    older = dict(body)
    body |= {"status": "awaiting-bank-feedback", "updatedAt": "2026-11-24T20:00:00.000Z"}
    await jobs.poll_disputes()
    paystack.disputes[body["id"]] = older
    await execute("UPDATE disputes SET next_attempt_at = now()")
    await jobs.poll_disputes()
    assert (await find_dispute(body["id"])).status == "awaiting-bank-feedback"


async def test_dispute_when_its_payment_is_unpaid_makes_the_payment_verified(
    client: httpx.AsyncClient, paystack: FakePaystack, jobs: Jobs
) -> None:
    one = await create_payment(status="abandoned")
    paystack.open_dispute(paystack.add_transaction(one.reference), 50_000)
    await deliver_from(client, paystack)
    pending = await find_payment(one.reference)
    assert pending.status == "pending"
    assert pending.verify_next_attempt_at <= datetime.now(UTC)
    await deliver(client, charge_success(one.reference))
    assert (await find_payment(one.reference)).status == "succeeded"
    await jobs.poll_disputes()
    assert (await find_payment(one.reference)).status == "disputed"
    assert await outbox_types() == ["payment.disputed", "payment.succeeded"]


async def test_payment_when_one_of_two_disputes_is_won_stays_disputed(
    client: httpx.AsyncClient, paystack: FakePaystack, jobs: Jobs
) -> None:
    one, first = await create_disputed_payment(client, paystack)
    second = paystack.open_dispute(paystack.transactions[one.reference], 50_000)
    await deliver_from(client, paystack)
    paystack.resolve_dispute(first, lost=False)
    await deliver_from(client, paystack)
    await jobs.poll_disputes()
    assert (await find_payment(one.reference)).status == "disputed"
    paystack.resolve_dispute(second, lost=False)
    await deliver_from(client, paystack)
    await jobs.poll_disputes()
    assert (await find_payment(one.reference)).status == "succeeded"


async def test_dispute_when_its_reference_is_unknown_is_listed_and_not_published(
    client: httpx.AsyncClient, paystack: FakePaystack, operator: dict[str, str]
) -> None:
    body = dispute(1, "pay-of-another-system")
    await deliver(client, dispute_event("create", body))
    shown = (await client.get("/payments/disputes", headers=operator)).json()["items"]
    assert [(each["id"], each["reference"]) for each in shown] == [(body["id"], "pay-of-another-system")]
    assert await outbox_types() == []


async def test_chargeback_when_the_payment_becomes_known_after_the_dispute_is_recorded(
    client: httpx.AsyncClient, paystack: FakePaystack, jobs: Jobs
) -> None:
    body = paystack.open_dispute(paystack.add_transaction("pay-of-another-system"), 50_000)
    paystack.resolve_dispute(body, lost=True)
    _, resolve = paystack.undelivered
    await deliver(client, resolve)
    await jobs.poll_disputes()
    await deliver(client, charge_success("pay-of-another-system"))
    await jobs.poll_disputes()
    await jobs.execute_refunds()
    one = await find_payment("pay-of-another-system")
    assert (one.status, one.refunded_amount) == ("refunded", 50_000)
    assert (await find_dispute(body["id"])).payment_id == one.id


async def test_dispute_when_its_mode_is_another_changes_nothing(client: httpx.AsyncClient) -> None:
    one = await create_paid_payment()
    await deliver(client, dispute_event("create", dispute(1, one.reference, domain="live")))
    (stored,) = await webhook_events()
    assert (stored.status, stored.outcome) == ("processed", "ignored: mode_differs")
    assert (await find_payment(one.reference)).status == "succeeded"


@pytest.mark.parametrize("name", ["create", "remind", "resolve"])
async def test_dispute_when_paystacks_own_sample_arrives_is_recorded(client: httpx.AsyncClient, name: str) -> None:
    body = sample(f"charge.dispute.{name}")
    body["data"] |= {"domain": "test"}
    one = await create_paid_payment(reference=body["data"]["transaction"]["reference"], paid_amount=9_000_000)
    await deliver(client, body)
    stored = await find_dispute(body["data"]["id"])
    assert (stored.payment_id, stored.amount, stored.currency) == (one.id, body["data"]["refund_amount"], "NGN")
    assert stored.lost is (True if name == "resolve" else None)


@pytest.mark.parametrize("data", [None, [], "x", {}, {"id": "x", "status": "resolved"}, {"id": 1, "status": 7}])
async def test_dispute_when_its_webhook_is_unreadable_fails(client: httpx.AsyncClient, data: Any) -> None:
    await deliver(client, {"event": "charge.dispute.create", "data": data})
    (stored,) = await webhook_events()
    assert (stored.status, stored.outcome) == ("failed", "not processed")
