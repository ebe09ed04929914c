"""Every event that Paystack documents has a handling, and an identity that is equal for all its deliveries."""

import json
from pathlib import Path

import pytest

from services.payments.paystack import event_types
from tests.fixtures.paystack_samples import SAMPLES, sample_name

each_sample = pytest.mark.parametrize("path", SAMPLES, ids=sample_name)


@each_sample
def test_event_type_of_a_documented_event_is_known(path: Path) -> None:
    event = json.loads(path.read_bytes())["event"]
    assert event in event_types.EVENT_TYPES
    assert event_types.event_type_of(event).handling in {"used", "ignored"}


def test_every_known_event_has_a_sample() -> None:
    assert {json.loads(path.read_bytes())["event"] for path in SAMPLES} == set(event_types.EVENT_TYPES)


@each_sample
def test_identity_when_the_body_is_written_differently_stays_the_same(path: Path) -> None:
    body = path.read_bytes()
    event, data = json.loads(body)["event"], json.loads(body)["data"]
    one = event_types.identity(event, data, body)
    assert one.startswith(f"{event}:")
    assert len(one) > len(event) + 1
    again = event_types.identity(event, data, body + b" ")
    # The hash of the body is part of the identity only if different events can have equal fields.
    assert (one == again) is not event_types.event_type_of(event).includes_body_hash


def test_identity_when_events_differ_differs() -> None:
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
def test_identity_when_data_names_nothing_is_the_hash_of_the_body(data: object) -> None:
    for event in (*event_types.EVENT_TYPES, "moon.landed", ""):
        first, second = (event_types.identity(event, data, body) for body in (b"1", b"2"))
        assert first != second


def test_identity_from_object_id_when_the_event_is_identified_by_its_id_is_its_identity() -> None:
    assert event_types.identity_from_object_id("charge.success", 5) == event_types.identity(
        "charge.success", {"id": 5}, b""
    )
    assert event_types.identity_from_object_id("charge.success", None) is None
    assert event_types.identity_from_object_id("refund.processed", 5) is None
    assert event_types.identity_from_object_id("moon.landed", 5) is None
