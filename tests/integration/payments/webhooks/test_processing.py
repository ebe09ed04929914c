"""Processing stored webhook events: outcomes, and bodies that are garbage under a valid signature."""

import json
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from services.payments.paystack import event_types
from services.payments.paystack.parsing import Unreadable
from services.payments.webhooks.parsing import parse_body
from tests.factories.payments import create_payment
from tests.fakes.paystack import charge_success
from tests.fixtures.json_values import NESTED, is_storable
from tests.fixtures.log_lines import log_lines
from tests.fixtures.payments_jobs import process_webhook_events
from tests.fixtures.payments_requests import deliver, post_webhook
from tests.fixtures.payments_rows import find_payment, outbox_types, webhook_events
from tests.fixtures.paystack_samples import sample

ONE = charge_success("pay-garbage")
GARBAGE: dict[str, bytes] = {
    "empty": b"",
    "space": b" \n",
    "not JSON": b"{",
    "text": b"hello",
    "a string": b'"charge.success"',
    "null": b"null",
    "an array": b"[]",
    "an array of events": json.dumps([ONE]).encode(),
    "a number": b"1",
    "no event": b'{"data":{}}',
    "event null": b'{"event":null,"data":{}}',
    "event a number": b'{"event":1,"data":{}}',
    "event an object": b'{"event":{"charge.success":1},"data":{}}',
    "event empty": b'{"event":"","data":{}}',
    "no data": b'{"event":"charge.success"}',
    "data null": b'{"event":"charge.success","data":null}',
    "data an array": b'{"event":"charge.success","data":[]}',
    "data text": b'{"event":"charge.success","data":"x"}',
    "deep arrays": b"[" * 200_000,
    "deep data": b'{"event":"charge.success","data":' + b'{"a":' * 200_000,
    "deep and closed": b'{"event":"charge.success","data":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "NaN": b'{"event":"charge.success","data":{"reference":"pay-garbage","amount":NaN}}',
    "infinite": b'{"event":"charge.success","data":{"reference":"pay-garbage","amount":1e999,"status":"success"}}',
    "5000 digits": b'{"event":"charge.success","data":{"reference":"pay-garbage","amount":' + b"9" * 5000 + b"}}",
    "4000 digits": b'{"event":"charge.success","data":{"reference":"pay-garbage","amount":' + b"9" * 4000 + b"}}",
    "NUL": b'{"event":"charge.success","data":{"reference":"pay\\u0000-garbage","channel":"\\u0000"}}',
    "raw NUL": b'{"event":"a\x00b"}',
    "lone surrogate": b'{"event":"\\ud800","data":{"reference":"\\udfff"}}',
    "not UTF-8": b'{"event":"charge.success","data":{"reference":"\xff\xfe"}}',
    "only bytes": bytes(range(256)),
    "UTF-16": json.dumps(ONE).encode("utf-16"),
    "UTF-32": json.dumps(ONE).encode("utf-32"),
    "duplicate keys": b'{"event":"charge.success","event":"transfer.success","data":{},"data":null}',
    "unknown event": b'{"event":"moon.landed","data":{"reference":"pay-garbage"}}',
    "long event": json.dumps({"event": "e" * 100_000, "data": {"reference": "r" * 100_000}}).encode(),
    "reference a number": b'{"event":"charge.success","data":{"reference":5}}',
    "reference long": json.dumps(charge_success("r" * 100_000)).encode(),
    "reference odd": json.dumps(charge_success("\x00\x7f\n' OR 1=1;-- é😀")).encode(),
    "100 more fields": json.dumps({**ONE, **{f"f{n}": [n] for n in range(100)}}).encode(),
}


async def test_event_when_it_is_processed_has_its_identity_and_outcome(client: httpx.AsyncClient) -> None:
    one = await create_payment()
    webhook = charge_success(one.reference)
    await deliver(client, webhook, {"event": "moon.landed", "data": {}}, sample("transfer.success"))
    paid, unknown, payout = await webhook_events()
    assert (paid.identity, paid.outcome) == (f"charge.success:{webhook['data']['id']}", "succeeded")
    assert unknown.outcome == f"unknown: {event_types.UNKNOWN.explanation}"
    assert payout.outcome == f"ignored: {event_types.EVENT_TYPES['transfer.success'].explanation}"
    assert (unknown.status, payout.status) == ("processed", "processed")


async def test_event_when_it_fails_is_logged_as_failed_and_not_counted_as_processed(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    one = await create_payment()
    first = charge_success(one.reference)
    second = charge_success(one.reference)
    second["data"]["id"] = first["data"]["id"] + 1
    labels = {"event": "charge.success", "handling": "used"}
    before = REGISTRY.get_sample_value("webhook_events_processed_total", labels) or 0
    caplog.clear()
    await deliver(client, first, second)
    logged = [
        (line["event"], line["reference"]) for line in log_lines(caplog) if line["event"].startswith("webhook event ")
    ]
    assert logged == [("webhook event processed", one.reference), ("webhook event failed", one.reference)]
    assert REGISTRY.get_sample_value("webhook_events_processed_total", labels) == before + 1


async def test_event_when_paystack_rejected_a_bank_transfer_pays_nothing(client: httpx.AsyncClient) -> None:
    one = await create_payment()
    body = sample("bank.transfer.rejected")
    body["data"]["bank_transfer"]["transaction_id"] = "4711"
    for _ in range(2):
        await post_webhook(client, body)
    body["data"]["bank_transfer"]["amount"] = "1"  # a second wrong transfer for the same transaction
    await deliver(client, body)
    first, second = await webhook_events()
    assert (first.status, first.outcome) == ("processed", "rejected transfer recorded")
    assert first.identity != second.identity
    assert (await find_payment(one.reference)).status == "pending"


@pytest.mark.parametrize("name", GARBAGE)
async def test_garbage_when_it_is_signed_is_stored_and_delays_no_other_event(
    client: httpx.AsyncClient, name: str
) -> None:
    before, after = await create_payment(), await create_payment()
    assert (await post_webhook(client, charge_success(before.reference))).status_code == 200
    assert (await post_webhook(client, GARBAGE[name])).status_code == 200
    assert (await post_webhook(client, charge_success(after.reference))).status_code == 200
    await process_webhook_events()
    rows = await webhook_events()
    assert [row.body for row in rows][1] == GARBAGE[name]
    assert [rows[0].status, rows[2].status] == ["processed", "processed"]
    assert rows[1].status in {"processed", "failed"}
    assert rows[1].status == "processed" or rows[1].error
    assert [(await find_payment(one.reference)).status for one in (before, after)] == ["succeeded", "succeeded"]


async def test_garbage_when_it_fills_a_batch_delays_no_other_event(client: httpx.AsyncClient) -> None:
    for body in GARBAGE.values():
        assert (await post_webhook(client, body)).status_code == 200
    one = await create_payment()
    assert (await post_webhook(client, charge_success(one.reference))).status_code == 200
    await process_webhook_events()
    assert {event.status for event in await webhook_events()} == {"processed", "failed"}
    assert (await find_payment(one.reference)).status == "succeeded"


ODD: list[Any] = [None, {}, [], "", "\x00", 0, -1, True, 1.5, "x" * 3000, 2**63, 2**64, "9" * 30]


@pytest.mark.parametrize("field", list(ONE["data"]))
async def test_charge_when_a_field_has_an_odd_value_is_processed_or_fails_at_once(
    client: httpx.AsyncClient, field: str
) -> None:
    for value in ODD:
        webhook = charge_success((await create_payment()).reference)
        webhook["data"][field] = value
        assert (await post_webhook(client, webhook)).status_code == 200
    await process_webhook_events()
    rows = await webhook_events()
    assert len(rows) == len(ODD)
    assert {row.attempts for row in rows} == {1}
    assert all(row.status == "processed" or (row.status == "failed" and row.error) for row in rows)


@pytest.mark.parametrize(
    "paid_at",
    [
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "2026-11-23",
        "2026-11-23T10:00:00",
        "1e10",
        "99999999999",
        "-1",
        "yesterday",
    ],
)
async def test_charge_when_its_time_is_odd_settles_all_the_same(client: httpx.AsyncClient, paid_at: str) -> None:
    await create_payment("pay-odd")
    await deliver(client, charge_success("pay-odd", paid_at=paid_at))
    assert (await find_payment("pay-odd")).status == "succeeded"
    assert await outbox_types() == ["payment.succeeded"]


@given(st.binary(max_size=200) | NESTED.map(lambda value: json.dumps(value).encode()))
@settings(max_examples=200)
def test_parse_body_when_given_any_bytes_returns_a_storable_event_or_raises_unreadable(body: bytes) -> None:
    try:
        event = parse_body(body).type_name
    except Unreadable:
        event = ""
    assert is_storable(event)
