"""The limit on the payment requests of one account."""

from uuid import uuid4

import httpx
import pytest

from kit.http.rate_limit import TokenBuckets
from tests.factories.payments import create_payment
from tests.fixtures.apps import RunningApp

NEW = {"order_id": str(uuid4())}


async def test_requests_to_pay_and_to_verify_are_limited_together_and_reading_is_not(
    payments: RunningApp, client: httpx.AsyncClient, customer: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = await create_payment()
    requests = [
        ("/payments", NEW),
        ("/payments/charge", {**NEW, "card_id": 1}),
        (f"/payments/{payment.reference}/verify", None),
    ]
    monkeypatch.setitem(payments.state, "account_limit", TokenBuckets(len(requests)))
    for path, body in requests:
        assert (await client.post(path, json=body, headers=customer)).status_code != 429, path
    for path, body in requests:
        answer = await client.post(path, json=body, headers=customer)
        assert (answer.status_code, answer.json()["code"]) == (429, "too_many_requests"), path
        assert int(answer.headers["retry-after"]) >= 1
    assert (await client.get(f"/payments/{payment.reference}", headers=customer)).status_code == 200


async def test_a_request_without_a_valid_token_takes_nothing_from_the_limit(
    payments: RunningApp, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(payments.state, "account_limit", TokenBuckets(1))
    for _ in range(3):
        assert (await client.post("/payments", json=NEW)).status_code == 401
