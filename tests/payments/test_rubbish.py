"""Validly signed rubbish: kept byte for byte, answered 200; settling it never raises and never holds back its neighbours."""

import json
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.payments.paystack.charge import Charge, parse_charge
from services.payments.paystack.parsing import Unreadable
from services.payments.webhooks.parsing import parse_body
from tests.payments.conftest import charge, found, outbox_types, payment, send, settle_all, stored

ONE = charge("pay-rubbish")
RUBBISH: dict[str, bytes] = {
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
    "NaN": b'{"event":"charge.success","data":{"reference":"pay-rubbish","amount":NaN}}',
    "infinite": b'{"event":"charge.success","data":{"reference":"pay-rubbish","amount":1e999,"status":"success"}}',
    "5000 digits": b'{"event":"charge.success","data":{"reference":"pay-rubbish","amount":' + b"9" * 5000 + b"}}",
    "4000 digits": b'{"event":"charge.success","data":{"reference":"pay-rubbish","amount":' + b"9" * 4000 + b"}}",
    "NUL": b'{"event":"charge.success","data":{"reference":"pay\\u0000-rubbish","channel":"\\u0000"}}',
    "raw NUL": b'{"event":"a\x00b"}',
    "lone surrogate": b'{"event":"\\ud800","data":{"reference":"\\udfff"}}',
    "not UTF-8": b'{"event":"charge.success","data":{"reference":"\xff\xfe"}}',
    "only bytes": bytes(range(256)),
    "UTF-16": json.dumps(ONE).encode("utf-16"),
    "UTF-32": json.dumps(ONE).encode("utf-32"),
    "duplicate keys": b'{"event":"charge.success","event":"transfer.success","data":{},"data":null}',
    "unknown event": b'{"event":"moon.landed","data":{"reference":"pay-rubbish"}}',
    "long event": json.dumps({"event": "e" * 100_000, "data": {"reference": "r" * 100_000}}).encode(),
    "reference a number": b'{"event":"charge.success","data":{"reference":5}}',
    "reference long": json.dumps(charge("r" * 100_000)).encode(),
    "reference odd": json.dumps(charge("\x00\x7f\n' OR 1=1;-- é😀")).encode(),
    "100 more fields": json.dumps({**ONE, **{f"f{n}": [n] for n in range(100)}}).encode(),
}


@pytest.mark.parametrize("name", RUBBISH)
async def test_rubbish_is_kept_and_harms_nobody(client: httpx.AsyncClient, name: str) -> None:
    before, after = await payment(), await payment()
    assert (await send(client, charge(before.reference))).status_code == 200
    assert (await send(client, RUBBISH[name])).status_code == 200
    assert (await send(client, charge(after.reference))).status_code == 200
    await settle_all()
    rows = await stored()
    assert [row.body for row in rows][1] == RUBBISH[name]
    assert [rows[0].status, rows[2].status] == ["processed", "processed"]
    assert rows[1].status in {"processed", "failed"}
    assert rows[1].status == "processed" or rows[1].error
    assert [(await found(one.reference)).status for one in (before, after)] == ["succeeded", "succeeded"]


async def test_all_rubbish_in_one_batch(client: httpx.AsyncClient) -> None:
    for body in RUBBISH.values():
        assert (await send(client, body)).status_code == 200
    one = await payment()
    assert (await send(client, charge(one.reference))).status_code == 200
    await settle_all()
    assert {notice.status for notice in await stored()} == {"processed", "failed"}
    assert (await found(one.reference)).status == "succeeded"


ODD: list[Any] = [None, {}, [], "", "\x00", 0, -1, True, 1.5, "x" * 3000, 2**63, 2**64, "9" * 30]


@pytest.mark.parametrize("field", list(ONE["data"]))
async def test_odd_values_in_any_field(client: httpx.AsyncClient, field: str) -> None:
    for value in ODD:
        notice = charge((await payment()).reference)
        notice["data"][field] = value
        assert (await send(client, notice)).status_code == 200
    await settle_all()
    rows = await stored()
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
async def test_an_odd_time_keeps_no_payment_from_settling(client: httpx.AsyncClient, paid_at: str) -> None:
    await payment("pay-odd")
    await send(client, charge("pay-odd", paid_at=paid_at))
    await settle_all()
    assert (await found("pay-odd")).status == "succeeded"
    assert await outbox_types() == ["payment.succeeded"]


NESTED = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=15,
)
FIELDS = st.fixed_dictionaries({}, optional=dict.fromkeys(ONE["data"], NESTED))


def storable(*texts: str) -> bool:
    """Whether Postgres takes them."""
    return all("\x00" not in text and text.encode() for text in texts if text)


@given(st.one_of(NESTED, FIELDS, FIELDS.map(lambda odd: {**ONE["data"], **odd})))
@settings(max_examples=150)
def test_reading_a_charge_answers_or_says_why(data: Any) -> None:
    try:
        charged: Charge | None = parse_charge(data)
    except Unreadable:
        charged = None
    assert charged is None or 0 <= charged.amount <= 2**53
    assert charged is None or storable(charged.reference, charged.currency, charged.domain, charged.channel or "")


@given(st.binary(max_size=200) | NESTED.map(lambda value: json.dumps(value).encode()))
@settings(max_examples=200)
def test_reading_a_notice_answers_or_says_why(body: bytes) -> None:
    try:
        event = parse_body(body).event
    except Unreadable:
        event = ""
    assert storable(event)


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=100),
            NESTED.map(lambda value: json.dumps(value).encode()),
            st.tuples(st.sampled_from(["charge.success", "refund.processed", "x"]), NESTED | FIELDS).map(
                lambda pair: json.dumps({"event": pair[0], "data": pair[1]}).encode()
            ),
        ),
        min_size=1,
        max_size=15,
    )
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_json_ends_settled(client: httpx.AsyncClient, bodies: list[bytes]) -> None:
    for body in bodies:
        assert (await send(client, body)).status_code == 200
    await settle_all()
    assert all(notice.status in {"processed", "failed"} and notice.attempts == 1 for notice in await stored())
