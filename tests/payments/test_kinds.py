"""Every kind of notice has a home, and an identity that all deliveries of one happening share."""

import json
from pathlib import Path

import httpx
import pytest

from services.payments.paystack import event_types
from tests.payments.conftest import FIXTURES, charge, found, payment, send, settle_all, stored

SHAPES = sorted(FIXTURES.glob("*.json"))


@pytest.mark.parametrize("path", SHAPES, ids=lambda path: path.stem)
def test_every_kind_that_paystack_documents_is_known(path: Path) -> None:
    event = json.loads(path.read_bytes())["event"]
    assert event in event_types.EVENT_TYPES
    assert event_types.event_type_of(event).handling in {"processed", "ignored"}


def test_every_known_kind_has_a_shape_to_be_tested_with() -> None:
    assert {json.loads(path.read_bytes())["event"] for path in SHAPES} == set(event_types.EVENT_TYPES)


@pytest.mark.parametrize("path", SHAPES, ids=lambda path: path.stem)
def test_the_identity_does_not_hang_on_how_the_body_is_written(path: Path) -> None:
    body = path.read_bytes()
    event, data = json.loads(body)["event"], json.loads(body)["data"]
    one = event_types.identity(event, data, body)
    assert one.startswith(f"{event}:")
    assert len(one) > len(event) + 1
    again = event_types.identity(event, data, body + b" ")
    # Only where the same fields may tell another happening does the body itself count.
    assert (one == again) is not event_types.event_type_of(event).recurs


def test_what_tells_two_happenings_apart() -> None:
    def refund(**changes: object) -> str:
        data = {"transaction_reference": "pay-1", "refund_reference": None, "amount": "100", "status": "pending"}
        return event_types.identity("refund.pending", {**data, **changes}, b"{}")

    assert refund() == "refund.pending:pay-1/-/100/pending"
    assert refund(amount=100) == refund()
    assert len({refund(), refund(amount="200"), refund(refund_reference="R1"), refund(transaction_reference="x")}) == 4
    remind = {"id": 7, "updated_at": "2026-11-23T09:00:00Z"}
    later = {**remind, "updated_at": "2026-11-23T13:00:00Z"}
    assert event_types.identity("charge.dispute.remind", remind, b"") != event_types.identity(
        "charge.dispute.remind", later, b""
    )
    assert event_types.identity("transfer.success", {"id": 7}, b"") != event_types.identity(
        "transfer.reversed", {"id": 7}, b""
    )


@pytest.mark.parametrize("data", [None, [], {}, {"id": None}, {"id": []}, {"id": True}, {"id": 2**70}, {"id": ""}, "x"])
def test_what_names_nothing_is_named_by_its_bytes(data: object) -> None:
    for event in (*event_types.EVENT_TYPES, "moon.landed", ""):
        first, second = (event_types.identity(event, data, body) for body in (b"1", b"2"))
        assert first != second


def test_a_row_names_what_its_notice_is_named_by() -> None:
    assert event_types.identity_of_row("charge.success", 5) == event_types.identity("charge.success", {"id": 5}, b"")
    assert event_types.identity_of_row("charge.success", None) is None
    assert event_types.identity_of_row("refund.processed", 5) is None
    assert event_types.identity_of_row("moon.landed", 5) is None


async def test_identity_and_home_are_written_down(client: httpx.AsyncClient) -> None:
    one = await payment()
    told = charge(one.reference)
    await send(client, told)
    await send(client, {"event": "moon.landed", "data": {}})
    await send(client, json.loads((FIXTURES / "transfer.success.json").read_bytes()))
    await settle_all()
    paid, unknown, payout = await stored()
    assert (paid.identity, paid.outcome) == (f"charge.success:{told['data']['id']}", "succeeded")
    assert unknown.outcome == "unknown: stored, and nothing else: this kind is not known here"
    assert payout.outcome == "ignored: this shop makes no transfers"
    assert (unknown.status, payout.status) == ("processed", "processed")


async def test_a_rejected_transfer_is_recorded_and_pays_for_nothing(client: httpx.AsyncClient) -> None:
    one = await payment()
    body = json.loads((FIXTURES / "bank.transfer.rejected.json").read_bytes())
    body["data"]["bank_transfer"]["transaction_id"] = "4711"
    for _ in range(2):
        await send(client, body)
    body["data"]["bank_transfer"]["amount"] = "1"  # a second wrong transfer on the same transaction
    await send(client, body)
    await settle_all()
    first, second = await stored()
    assert (
        first.outcome == "ignored: Paystack returned the transfer: nothing was paid; INCORRECT_AMOUNT, 764000 subunits"
    )
    assert first.identity != second.identity
    assert (await found(one.reference)).status == "pending"
