import asyncio
import json
from typing import Any

import pytest

from tests.fakes.webhook_receiver import WebhookReceiver
from tests.fixtures.merchant import Merchant


async def test_payment_with_other_values_reports_them_in_verify_and_webhook(
    merchant: Merchant, receiver: WebhookReceiver
) -> None:
    started = await merchant.start(amount=500_000)
    await merchant.pay(started["reference"], amount=1, currency="USD", fees=7, domain="live")
    webhook = json.loads((await receiver.wait(1))[0].body)["data"]
    for reported in (webhook, await merchant.verify(started["reference"])):
        values = reported["amount"], reported["currency"], reported["fees"], reported["domain"]
        assert values == (1, "USD", 7, "live")
        assert reported["requested_amount"] == 500_000


async def test_payment_with_null_fees_reports_none(shared_merchant: Merchant) -> None:
    started = await shared_merchant.start()
    assert (await shared_merchant.pay(started["reference"], fees=None)).json()["data"]["fees"] is None


async def test_payment_without_a_body_succeeds(shared_merchant: Merchant) -> None:
    started = await shared_merchant.start()
    response = await shared_merchant.http.post(f"/sandbox/transactions/{started['reference']}/pay")
    assert (response.status_code, response.json()["data"]["status"]) == (200, "success")


async def test_concurrent_payments_of_a_transaction_succeed_once(shared_merchant: Merchant) -> None:
    started = await shared_merchant.start()
    responses = await asyncio.gather(*(shared_merchant.pay(started["reference"]) for _ in range(10)))
    assert sorted(response.status_code for response in responses) == [200] + [409] * 9
    for outcome in ("success", "failed", "abandoned"):
        response = await shared_merchant.pay(started["reference"], outcome=outcome)
        assert (response.status_code, response.json()["code"]) == (409, "already_paid")
    assert (await shared_merchant.verify(started["reference"]))["status"] == "success"


async def test_control_of_an_unknown_reference_is_not_found(shared_merchant: Merchant) -> None:
    for response in (
        await shared_merchant.pay("no-such-reference"),
        await shared_merchant.http.get("/sandbox/transactions/no-such-reference"),
    ):
        assert (response.status_code, response.json()["message"]) == (404, "No transaction has this reference")


@pytest.mark.parametrize(
    "instruction",
    [
        {"outcome": "maybe"},
        {"amount": "100"},
        {"amount": -1},
        {"amount": 1.5},
        {"amount": 10**30},
        {"currency": "naira"},
        {"fees": True},
        {"domain": "prod"},
        {"deliveries": -1},
        {"deliveries": 10**6},
        {"delay_ms": 10**9},
        {"outcom": "success"},
    ],
)
async def test_payment_with_an_invalid_field_is_refused(shared_merchant: Merchant, instruction: dict[str, Any]) -> None:
    started = await shared_merchant.start()
    response = await shared_merchant.pay(started["reference"], **instruction)
    assert response.status_code == 422
    assert response.json()["message"].startswith(f"{next(iter(instruction))}: ")
    assert (await shared_merchant.verify(started["reference"]))["status"] == "abandoned"
