"""Operators refund payments, and send refunds that need attention to a bank account of the payer."""

from typing import Any

import httpx
import pytest

from services.payments.models import Payment
from services.payments.refunds.models import Refund
from tests.factories.payments import create_paid_payment, create_refund
from tests.fakes.paystack import FakePaystack, refusal
from tests.fixtures.odd_amounts import ODD_AMOUNTS, assert_refused
from tests.fixtures.payments_rows import all_refunds, find_payment

ACCOUNT = {"account_number": "0123456789", "bank_id": "9"}


@pytest.mark.parametrize("amount", [*ODD_AMOUNTS, "0"], ids=lambda amount: amount[:20])
async def test_refund_when_the_amount_is_odd_is_refused(
    client: httpx.AsyncClient, operator: dict[str, str], amount: str
) -> None:
    one = await create_paid_payment()
    headers = {**operator, "Idempotency-Key": "k"}
    await assert_refused(client, headers, f"/payments/{one.reference}/refunds", f'{{"amount": {amount}}}')
    assert await all_refunds() == []


INCOMPLETE = [
    None,
    {},
    {"amount": None},
    {"all": False},
    {"all": None},
    {"all": "true"},
    {"all": 1},
    {"all": True, "amount": 1},
    {"reason": "all"},
]


@pytest.mark.parametrize("body", INCOMPLETE, ids=str)
async def test_refund_when_the_body_states_no_amount_or_two_is_refused(
    client: httpx.AsyncClient, operator: dict[str, str], body: Any
) -> None:
    url = f"/payments/{(await create_paid_payment()).reference}/refunds"
    answer = await client.post(url, json=body, headers={**operator, "Idempotency-Key": "k"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), answer.text
    assert await all_refunds() == []


async def test_refund_when_there_is_no_body_or_no_idempotency_key_is_refused(
    client: httpx.AsyncClient, operator: dict[str, str]
) -> None:
    url = f"/payments/{(await create_paid_payment()).reference}/refunds"
    without_body = await client.post(url, headers={**operator, "Idempotency-Key": "k"})
    assert (without_body.status_code, without_body.json()["code"]) == (422, "invalid_request")
    without_key = await client.post(url, json={"all": True}, headers=operator)
    assert (without_key.status_code, without_key.json()["code"]) == (422, "invalid_request")
    assert without_key.json()["detail"] == "Idempotency-Key: is missing."
    assert await all_refunds() == []


async def test_refund_of_all_refunds_what_is_left(client: httpx.AsyncClient, operator: dict[str, str]) -> None:
    url = f"/payments/{(await create_paid_payment()).reference}/refunds"
    for number, (body, amount) in enumerate([({"amount": 20_000}, 20_000), ({"all": True}, 30_000)]):
        answer = await client.post(url, json=body, headers={**operator, "Idempotency-Key": str(number)})
        assert (answer.status_code, answer.json()["amount"]) == (202, amount)


async def create_refund_that_needs_attention(paystack: FakePaystack) -> tuple[Payment, Refund]:
    one = await create_paid_payment()
    listed = paystack.add_refund(paystack.add_transaction(one.reference), 50_000, status="needs-attention")
    refund = await create_refund(one, paystack_id=listed["id"], status="needs-attention")
    return one, refund


@pytest.mark.parametrize(
    ("fault", "status", "code", "retry_after"),
    [
        (None, 202, None, None),
        (refusal(400, "invalid_params"), 422, "refund_refused", None),
        (httpx.ReadTimeout("lost"), 503, "paystack_unavailable", "1"),
        (httpx.Response(429, json={}, headers={"x-ratelimit-reset": "30"}), 503, "paystack_unavailable", "30"),
        (refusal(401, "invalid_Key"), 503, "paystack_unavailable", "1"),
    ],
    ids=str,
)
async def test_retry_whatever_paystack_answers_is_logged_and_followed(
    client: httpx.AsyncClient,
    operator: dict[str, str],
    paystack: FakePaystack,
    caplog: pytest.LogCaptureFixture,
    fault: Any,
    status: int,
    code: str | None,
    retry_after: str | None,
) -> None:
    one, refund = await create_refund_that_needs_attention(paystack)
    if fault is not None:
        paystack.fail(fault, operation="retry_refund")
    url = f"/payments/{one.reference}/refunds/{refund.id}/retry"
    answer = await client.post(url, json=ACCOUNT, headers=operator)
    assert (answer.status_code, answer.json().get("code")) == (status, code)
    assert answer.headers.get("retry-after") == retry_after
    assert (await find_payment(one.reference)).refunds_next_attempt_at is not None
    assert "operator-1" in caplog.text
    assert "6789" in caplog.text
    assert ACCOUNT["account_number"] not in caplog.text


async def test_request_when_the_currency_has_no_fractions_then_the_amount_must_be_whole(
    client: httpx.AsyncClient, operator: dict[str, str]
) -> None:
    one = await create_paid_payment(amount=500_000, currency="XOF", paid_amount=500_000, paid_currency="XOF")
    path = f"/payments/{one.reference}/refunds"
    refused = await client.post(path, json={"amount": 100_050}, headers={**operator, "Idempotency-Key": "a"})
    assert (refused.status_code, refused.json()["code"]) == (422, "refund_not_whole")
    assert "XOF has no fractions" in refused.json()["detail"]
    accepted = await client.post(path, json={"amount": 100_000}, headers={**operator, "Idempotency-Key": "b"})
    assert accepted.status_code == 202
