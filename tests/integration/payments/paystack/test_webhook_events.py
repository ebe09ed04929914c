"""Entries of the Webhook Events API, in every likely form of the payload."""

import json
from typing import Any

import pytest

from services.payments.paystack.webhook_events import parse_webhook_event
from tests.fakes.paystack import charge_success


def parse(payload: Any) -> bytes | None:
    return parse_webhook_event({"_id": "x", "event_name": "charge.success", "event_payload": payload}).body


@pytest.mark.parametrize(
    "payload",
    [
        charge_success("pay-1"),
        json.dumps(charge_success("pay-1")),
        charge_success("pay-1")["data"],
        json.dumps(charge_success("pay-1")["data"]),
    ],
    ids=["object", "text", "data only", "data only as text"],
)
def test_body_when_the_payload_has_any_form_is_that_of_the_webhook(payload: Any) -> None:
    body = parse(payload)
    assert body is not None
    assert json.loads(body) == charge_success("pay-1")


def test_body_when_the_payload_is_text_is_unchanged() -> None:
    text = '{ "event":"charge.success", "data": {"x": 1.0} }'
    assert parse(text) == text.encode()


@pytest.mark.parametrize("payload", [None, "", "x", "[" * 100_000, 5, True])
def test_body_when_the_payload_is_no_webhook_is_none(payload: Any) -> None:
    assert parse(payload) is None
