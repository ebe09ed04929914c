"""A refund that needs attention is sent to the payer's account: who sent it where is on record, and what became of it is found out."""

from typing import Any

import httpx
import pytest

from services.payments.db import sessions
from services.payments.models import Payment
from services.payments.refunds.models import Refund
from tests.conftest import ADMIN, Signer
from tests.payments.conftest import found, payment
from tests.payments.weather import Weather, ok, refused

ACCOUNT = {"account_number": "0123456789", "bank_id": "9"}
DONE = ok({"id": 7, "amount": 50_000, "status": "processing"})


async def _waiting() -> tuple[Payment, Refund]:
    one = await payment(status="succeeded", paid_amount=50_000, paid_currency="NGN", paystack_id=77)
    async with sessions.begin() as session:
        refund = Refund(
            payment_id=one.id,
            paystack_id=7,
            amount=50_000,
            currency="NGN",
            status="needs-attention",
            requested_by="operator-1",
        )
        session.add(refund)
    return one, refund


@pytest.mark.parametrize(
    ("answer", "status", "code", "retry_after"),
    [
        (DONE, 202, None, None),
        (refused(400, "invalid_params"), 422, "payment_refused", None),
        (httpx.ReadTimeout("lost"), 503, "paystack_unavailable", "1"),
        (httpx.Response(429, json={}, headers={"x-ratelimit-reset": "30"}), 503, "paystack_unavailable", "30"),
        (refused(401, "invalid_Key"), 503, "paystack_unavailable", "1"),
    ],
    ids=str,
)
async def test_it_is_looked_into_whatever_was_answered(
    client: httpx.AsyncClient,
    signer: Signer,
    paystack: Weather,
    caplog: pytest.LogCaptureFixture,
    answer: Any,
    status: int,
    code: str | None,
    retry_after: str | None,
) -> None:
    paystack.then(answer)
    one, refund = await _waiting()
    url = f"/payments/{one.reference}/refunds/{refund.id}/retry"
    said = await client.post(url, json=ACCOUNT, headers=signer.headers("operator-1", scopes=ADMIN))
    assert (said.status_code, said.json().get("code")) == (status, code)
    assert said.headers.get("retry-after") == retry_after
    assert (await found(one.reference)).refunds_next_attempt_at is not None
    assert "operator-1" in caplog.text
    assert "6789" in caplog.text
    assert ACCOUNT["account_number"] not in caplog.text
