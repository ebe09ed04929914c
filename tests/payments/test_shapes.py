"""Every shape of notice that Paystack is known to send: stored, answered 200, settled; one that cannot help waits for a person."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.payments.conftest import FIXTURES, found, outbox_types, payment, send, settle_all, stored

SHAPES = sorted(FIXTURES.glob("*.json"))
BODIES = {path.name: path.read_bytes() for path in SHAPES}
CHARGES = [path for path in SHAPES if path.name.startswith("charge.success.")]
PARTIAL = "charge.success.multi-split.json"  # neither currency nor channel


def read(path: Path) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(BODIES[path.name])
    return body


@pytest.mark.parametrize("path", SHAPES, ids=lambda path: path.stem)
async def test_every_shape_is_kept_and_settled(client: httpx.AsyncClient, path: Path) -> None:
    raw = BODIES[path.name]
    body = read(path)
    data = body["data"]
    reference = (data.get("reference") or data.get("transaction_reference")) if isinstance(data, dict) else None
    if reference is not None:
        await payment(reference)
    assert (await send(client, raw)).status_code == 200
    await settle_all()
    (notice,) = await stored()
    assert notice.body == raw
    assert (notice.status, notice.error) == ("processed", None)
    assert (notice.event, notice.reference) == (body["event"], reference)
    assert notice.outcome
    if body["event"] != "charge.success":
        assert await outbox_types() == []


@pytest.mark.parametrize("path", CHARGES, ids=lambda path: path.stem)
async def test_every_charge_pays_for_its_order(client: httpx.AsyncClient, path: Path) -> None:
    data = read(path)["data"] | {"domain": "test", "currency": "NGN"}
    reference = data["reference"]
    await payment(reference, amount=int(data["amount"]))
    await send(client, {"event": "charge.success", "data": data})
    await settle_all()
    paid = await found(reference)
    assert (paid.status, paid.paid_amount, paid.paystack_id) == ("succeeded", int(data["amount"]), data["id"])
    assert paid.paid_at is not None
    assert paid.paid_at.utcoffset() is not None
    assert await outbox_types() == ["payment.succeeded"]


async def test_all_shapes_in_one_batch(client: httpx.AsyncClient) -> None:
    for path in CHARGES:
        await payment(read(path)["data"]["reference"])
    for path in SHAPES:
        assert (await send(client, BODIES[path.name])).status_code == 200
    await settle_all()
    assert [notice.status for notice in await stored()] == ["processed"] * len(SHAPES)


async def test_a_charge_that_says_too_little_makes_us_ask(client: httpx.AsyncClient) -> None:
    body = BODIES[PARTIAL]
    reference = json.loads(body)["data"]["reference"]
    before = await payment(reference)
    await send(client, body)
    await settle_all()
    (notice,) = await stored()
    assert notice.outcome == "verification scheduled"
    assert (await found(reference)).verify_next_attempt_at < before.verify_next_attempt_at


@pytest.mark.parametrize("status", ["failed", "abandoned"])
async def test_a_charge_that_says_too_little_reopens_what_was_given_up(client: httpx.AsyncClient, status: str) -> None:
    body = BODIES[PARTIAL]
    reference = json.loads(body)["data"]["reference"]
    await payment(reference, status=status)
    await send(client, body)
    await settle_all()
    assert (await found(reference)).status == "pending"  # the sweep asks about it


async def test_a_charge_that_says_too_little_of_nobody_waits_for_a_person(client: httpx.AsyncClient) -> None:
    await send(client, BODIES[PARTIAL])
    await settle_all()
    (notice,) = await stored()
    assert notice.status == "failed"
    assert notice.error is not None
    assert "missing" in notice.error


async def test_a_charge_that_says_too_little_changes_nothing_that_is_settled(client: httpx.AsyncClient) -> None:
    body = BODIES[PARTIAL]
    reference = json.loads(body)["data"]["reference"]
    await payment(reference, status="succeeded")
    await send(client, body)
    await settle_all()
    assert (await found(reference)).status == "succeeded"
    assert [notice.status for notice in await stored()] == ["processed"]
