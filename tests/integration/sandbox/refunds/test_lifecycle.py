import json
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.webhook_receiver import WebhookReceiver
from tests.fixtures.merchant import Merchant
from tests.fixtures.sandbox import in_process_sandbox, sandbox_process

ACCOUNT = {"refund_account_details": {"currency": "NGN", "account_number": "0123456789", "bank_id": "9"}}


def webhooks_named(receiver: WebhookReceiver, event: str) -> list[Any]:
    webhooks = [json.loads(each.body) for each in receiver.received]
    return [webhook["data"] for webhook in webhooks if webhook["event"] == event]


async def test_refund_with_timed_steps_is_processed_and_sends_webhooks(receiver: WebhookReceiver) -> None:
    async with in_process_sandbox(webhook_url=receiver.url, refund_seconds=0.03) as merchant:
        paid = await merchant.paid()
        refund = await merchant.refund(paid["reference"], amount=1_000, currency="NGN")
        await receiver.wait(4)
        pending, processing, processed = (
            webhooks_named(receiver, f"refund.{status}")[0] for status in ("pending", "processing", "processed")
        )
        assert pending == {
            "status": "pending",
            "transaction_reference": paid["reference"],
            "refund_reference": None,
            "amount": "1000",
            "currency": "NGN",
            "processor": "instant-transfer",
            "customer": {"first_name": None, "last_name": None, "email": "ada@example.com"},
            "integration": refund["integration"],
            "domain": "test",
        }
        assert processing == pending | {"status": "processing"}
        assert processed == pending | {"status": "processed", "refund_reference": processed["refund_reference"]}
        assert processed["refund_reference"].isdigit()
        assert (await merchant.verify(paid["reference"]))["status"] == "reversed"
        fetched = await merchant.get(f"/refund/{refund['id']}")
        assert (fetched["status"], fetched["fully_deducted"], fetched["deducted_amount"]) == ("processed", True, 1_000)
        assert fetched["refunded_at"] is not None
        again = await merchant.pay(paid["reference"])
        assert again.json()["code"] == "already_paid"


@pytest.mark.parametrize(
    ("card", "final_status", "transaction_status"),
    [("refund-fails", "failed", "success"), ("refund-needs-attention", "needs-attention", "reversal-pending")],
)
async def test_refund_to_a_card_that_takes_none_has_its_final_status(
    receiver: WebhookReceiver, card: str, final_status: str, transaction_status: str
) -> None:
    async with in_process_sandbox(webhook_url=receiver.url, refund_seconds=0.02) as merchant:
        paid = await merchant.paid(card=card)
        refund = await merchant.refund(paid["reference"])
        await receiver.wait(4)
        (webhook,) = webhooks_named(receiver, f"refund.{final_status}")
        assert webhook["amount"] == 250_000  # a number in this webhook, a text in the others
        assert webhook["refund_reference"].startswith("TRF_")
        assert (webhook.get("id") == str(refund["id"])) == (final_status == "needs-attention")
        assert ("processor" in webhook) == (final_status == "failed")
        assert (await merchant.verify(paid["reference"]))["status"] == transaction_status


async def test_retry_of_a_refund_that_needs_attention_continues_it(
    merchant: Merchant, receiver: WebhookReceiver
) -> None:
    paid = await merchant.paid()
    refund = await merchant.refund(paid["reference"])
    path = f"/refund/retry_with_customer_details/{refund['id']}"
    response = await merchant.call("POST", path, json=ACCOUNT)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_params")
    assert response.json()["message"] == 'Invalid Refund state, refund status should be "needs-attention"'
    await merchant.control(f"refunds/{refund['id']}", outcome="needs-attention")
    for wrong in ({}, {"refund_account_details": {"currency": "NGN"}}):
        assert (await merchant.call("POST", path, json=wrong)).status_code == 400
    other = {"refund_account_details": ACCOUNT["refund_account_details"] | {"currency": "GHS"}}
    assert (await merchant.call("POST", path, json=other)).status_code == 400
    response = await merchant.call("POST", path, json=ACCOUNT)
    assert response.json()["message"] == "Refund retried and has been queued for processing"
    assert response.json()["data"]["status"] == "processing"
    assert (await merchant.call("POST", path, json=ACCOUNT)).status_code == 422
    await receiver.wait(4)
    assert len(webhooks_named(receiver, "refund.processing")) == 1
    unknown = await merchant.call("POST", "/refund/retry_with_customer_details/1", json=ACCOUNT)
    assert (unknown.status_code, unknown.json()["message"]) == (404, "Refund not found")


async def test_control_of_a_refund_sets_its_status_until_it_is_finished(
    merchant: Merchant, receiver: WebhookReceiver
) -> None:
    paid = await merchant.paid()
    refund = await merchant.refund(paid["reference"], amount=5)
    path = f"refunds/{refund['id']}"
    for _ in range(2):  # the second call changes nothing and sends no webhook
        assert (await merchant.control(path, outcome="processing")).json()["data"]["status"] == "processing"
    assert (await merchant.control(path, outcome="processed", deliveries=3)).json()["data"]["status"] == "processed"
    assert len(await receiver.wait(6)) == 6
    assert len(webhooks_named(receiver, "refund.processed")) == 3
    for outcome in ("failed", "processed"):
        response = await merchant.control(path, outcome=outcome)
        assert (response.status_code, response.json()["code"]) == (409, "refund_finished")
    assert (await merchant.control("refunds/1", outcome="failed")).status_code == 404
    assert (await merchant.control(f"refunds/{2**63}", outcome="failed")).status_code == 422
    for nonsense in ({}, {"outcome": "pending"}, {"outcome": "failed", "deliveries": -1}):
        assert (await merchant.control(path, **nonsense)).status_code == 422


async def test_transaction_with_several_refunds_has_the_status_of_them_all(shared_merchant: Merchant) -> None:
    paid = await shared_merchant.paid()
    first, second = [(await shared_merchant.refund(paid["reference"], amount=100))["id"] for _ in range(2)]

    async def set_and_verify(number: int, outcome: str) -> str:
        await shared_merchant.control(f"refunds/{number}", outcome=outcome)
        return str((await shared_merchant.verify(paid["reference"]))["status"])

    assert await set_and_verify(first, "processed") == "reversal-pending"
    assert await set_and_verify(second, "failed") == "reversed"
    third = (await shared_merchant.refund(paid["reference"], amount=100))["id"]
    assert await set_and_verify(third, "needs-attention") == "reversal-pending"
    assert await set_and_verify(third, "failed") == "reversed"


async def test_webhooks_of_two_equal_refunds_are_the_same_bytes(merchant: Merchant, receiver: WebhookReceiver) -> None:
    paid = await merchant.paid()
    first, second = [(await merchant.refund(paid["reference"], amount=100))["id"] for _ in range(2)]
    assert first != second
    for number in (first, second):
        for outcome in ("processing", "processed"):
            await merchant.control(f"refunds/{number}", outcome=outcome)
    received = await receiver.wait(7)
    assert len({(each.body, each.signature) for each in received if b"refund." in each.body}) == 3


async def test_refund_after_a_restart_continues(tmp_path: Path) -> None:
    database = tmp_path / "sandbox.db"
    async with sandbox_process(database, SANDBOX_REFUND_SECONDS="0.5") as process:
        paid = await process.merchant.paid()
        await process.merchant.refund(paid["reference"])
    async with sandbox_process(database, SANDBOX_REFUND_SECONDS="0.01") as process:
        await process.merchant.wait_for_status(paid["reference"], "reversed")
