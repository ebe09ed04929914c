"""Webhooks in every shape that Paystack is known to send are stored, answered 200 and processed."""

import json
from pathlib import Path

import httpx
import pytest

from tests.factories.payments import create_payment
from tests.fakes.paystack import Json
from tests.fixtures.payments_jobs import process_webhook_events
from tests.fixtures.payments_requests import deliver, post_webhook
from tests.fixtures.payments_rows import find_payment, outbox_types, webhook_events
from tests.fixtures.paystack_samples import SAMPLES, sample, sample_bytes, sample_name

CHARGES = [path for path in SAMPLES if path.name.startswith("charge.success.")]
INCOMPLETE = "charge.success.multi-split"
"""It has neither currency nor channel."""


def read(path: Path) -> Json:
    return sample(path.stem)


def reference_of(body: Json) -> str | None:
    """Return the reference of the payment, wherever the event has it."""
    data = body["data"]
    if not isinstance(data, dict):
        return None
    transaction = data.get("transaction")
    nested = transaction.get("reference") if isinstance(transaction, dict) else None
    return data.get("reference") or data.get("transaction_reference") or nested


@pytest.mark.parametrize("path", SAMPLES, ids=sample_name)
async def test_webhook_of_any_documented_shape_is_stored_and_processed(client: httpx.AsyncClient, path: Path) -> None:
    raw, body = sample_bytes(path.stem), read(path)
    reference = reference_of(body)
    if reference is not None:
        await create_payment(reference)
    await deliver(client, raw)
    (stored,) = await webhook_events()
    assert stored.body == raw
    assert (stored.status, stored.error) == ("processed", None)
    assert (stored.event, stored.reference) == (body["event"], reference)
    assert stored.outcome
    if body["event"] != "charge.success":
        assert await outbox_types() == []


@pytest.mark.parametrize("path", CHARGES, ids=sample_name)
async def test_charge_of_any_documented_shape_pays_its_order(client: httpx.AsyncClient, path: Path) -> None:
    data = read(path)["data"] | {"domain": "test", "currency": "NGN"}
    reference = data["reference"]
    await create_payment(reference, amount=int(data["amount"]))
    await deliver(client, {"event": "charge.success", "data": data})
    paid = await find_payment(reference)
    assert (paid.status, paid.paid_amount, paid.paystack_id) == ("succeeded", int(data["amount"]), data["id"])
    assert paid.paid_at is not None
    assert paid.paid_at.utcoffset() is not None
    assert await outbox_types() == ["payment.succeeded"]


async def test_webhooks_of_all_shapes_in_one_batch_are_processed(client: httpx.AsyncClient) -> None:
    for reference in {reference_of(read(path)) for path in SAMPLES} - {None}:
        await create_payment(str(reference))
    for path in SAMPLES:
        assert (await post_webhook(client, sample_bytes(path.stem))).status_code == 200
    await process_webhook_events()
    assert [event.status for event in await webhook_events()] == ["processed"] * len(SAMPLES)


async def test_charge_when_it_is_incomplete_makes_the_payment_verified(client: httpx.AsyncClient) -> None:
    body = sample_bytes(INCOMPLETE)
    reference = json.loads(body)["data"]["reference"]
    before = await create_payment(reference)
    await deliver(client, body)
    (stored,) = await webhook_events()
    assert stored.outcome == "verification scheduled"
    assert (await find_payment(reference)).verify_next_attempt_at < before.verify_next_attempt_at


@pytest.mark.parametrize("status", ["failed", "abandoned"])
async def test_charge_when_it_is_incomplete_makes_a_failed_or_abandoned_payment_pending(
    client: httpx.AsyncClient, status: str
) -> None:
    body = sample_bytes(INCOMPLETE)
    reference = json.loads(body)["data"]["reference"]
    await create_payment(reference, status=status)
    await deliver(client, body)
    assert (await find_payment(reference)).status == "pending"  # the sweeper asks about it


async def test_charge_when_it_is_incomplete_and_its_reference_is_unknown_fails(client: httpx.AsyncClient) -> None:
    await deliver(client, sample_bytes(INCOMPLETE))
    (stored,) = await webhook_events()
    assert stored.status == "failed"
    assert stored.error is not None
    assert "missing" in stored.error


async def test_charge_when_it_is_incomplete_changes_no_settled_payment(client: httpx.AsyncClient) -> None:
    body = sample_bytes(INCOMPLETE)
    reference = json.loads(body)["data"]["reference"]
    await create_payment(reference, status="succeeded")
    await deliver(client, body)
    assert (await find_payment(reference)).status == "succeeded"
    assert [event.status for event in await webhook_events()] == ["processed"]
