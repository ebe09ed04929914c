"""Bank transfer, USSD, QR and mobile money, paid by a script in place of the payer."""

import json
from typing import Any

import pytest

from tests.fakes.webhook_receiver import WebhookReceiver
from tests.fixtures.merchant import Merchant
from tests.fixtures.sandbox import sandbox_process


async def step(merchant: Merchant, reference: str, name: str, **body: Any) -> dict[str, Any]:
    """Call a control route of a transaction, and return its data."""
    response = await merchant.control(f"transactions/{reference}/{name}", **body)
    assert response.status_code == 200, response.text
    data: dict[str, Any] = response.json()["data"]
    return data


async def webhook_bodies(receiver: WebhookReceiver, count: int) -> list[dict[str, Any]]:
    return [json.loads(each.body) for each in await receiver.wait(count)]


async def test_chosen_transfer_shows_an_account_and_is_ongoing(shared_merchant: Merchant) -> None:
    reference = (await shared_merchant.start())["reference"]
    shown = await step(shared_merchant, reference, "channel", channel="bank_transfer")
    assert len(shown["account_number"]) == 10
    assert (shown["amount"], shown["currency"], shown["status"]) == (250_000, "NGN", "pending")
    assert shown["expires_at"] > (await shared_merchant.verify(reference))["created_at"]
    verified = await shared_merchant.verify(reference)
    assert (verified["status"], verified["channel"], verified["authorization"]) == ("ongoing", "bank_transfer", {})


async def test_transfer_from_a_slow_bank_is_pending_until_it_arrives(
    merchant: Merchant, receiver: WebhookReceiver
) -> None:
    reference = (await merchant.start())["reference"]
    sent = await step(merchant, reference, "transfer", after_ms=300)
    assert (sent["transaction_status"], sent["arrives_at"] is None) == ("pending", False)
    assert (await merchant.verify(reference))["status"] == "pending"
    for path in ("transfer", "channel"):
        body = {"channel": "ussd"} if path == "channel" else {}
        again = await merchant.control(f"transactions/{reference}/{path}", **body)
        assert (again.status_code, again.json()["code"]) == (409, "charge_in_progress")
    await merchant.wait_for_status(reference, "success")
    (webhook,) = await webhook_bodies(receiver, 1)
    assert (webhook["event"], webhook["data"]["channel"]) == ("charge.success", "bank_transfer")
    assert webhook["data"]["authorization"]["sender_bank_account_number"].startswith("XXXXXXX")


@pytest.mark.parametrize("amount", [249_999, 250_001])
async def test_transfer_of_a_wrong_amount_is_rejected_and_another_one_pays(
    merchant: Merchant, receiver: WebhookReceiver, amount: int
) -> None:
    reference = (await merchant.start())["reference"]
    shown = await step(merchant, reference, "transfer", amount=amount)
    assert (shown["transaction_status"], shown["problem"]) == ("ongoing", "incorrect amount sent")
    transaction = await merchant.verify(reference)
    assert (transaction["status"], transaction["amount"], transaction["fees"]) == ("ongoing", 250_000, None)
    (rejected,) = await webhook_bodies(receiver, 1)
    assert rejected["event"] == "bank.transfer.rejected"
    assert rejected["data"]["bank_transfer"] == {
        "amount": str(amount),
        "message": "incorrect amount sent",
        "message_type": "INCORRECT_AMOUNT",
        "transaction_id": str(transaction["id"]),
    }
    assert rejected["data"]["customer"]["email"] == "ada@example.com"
    await step(merchant, reference, "transfer")
    assert (await merchant.verify(reference))["status"] == "success"


@pytest.mark.parametrize(
    ("account", "status", "charge"),
    [
        ("closed", "failed", {"status": "failed", "message": "The account is closed"}),
        ("expired", "abandoned", {"status": "timeout"}),
    ],
)
async def test_transfer_to_an_account_that_takes_no_money_pays_nothing(
    merchant: Merchant, receiver: WebhookReceiver, account: str, status: str, charge: dict[str, str]
) -> None:
    reference = (await merchant.start())["reference"]
    await step(merchant, reference, "transfer", account=account, after_ms=50)
    await merchant.wait_for_status(reference, status)
    assert await merchant.get(f"/charge/{reference}") == {"reference": reference} | charge
    await step(merchant, reference, "transfer")
    assert [each["event"] for each in await webhook_bodies(receiver, 1)] == ["charge.success"]


async def test_transfer_that_arrives_after_a_card_payment_pays_nothing_more(
    merchant: Merchant, receiver: WebhookReceiver
) -> None:
    reference = (await merchant.start())["reference"]
    await step(merchant, reference, "transfer", after_ms=100)
    await merchant.pay(reference)
    await merchant.control(f"transactions/{(await merchant.start())['reference']}/transfer", after_ms=300)
    assert [each["event"] for each in await webhook_bodies(receiver, 2)] == ["charge.success"] * 2
    assert (await merchant.verify(reference))["channel"] == "card"


@pytest.mark.parametrize(
    ("channel", "currency", "provider", "status"),
    [
        ("ussd", "NGN", None, "pay_offline"),
        ("qr", "ZAR", None, "pay_offline"),
        ("mobile_money", "GHS", "vod", "pay_offline"),
        ("mobile_money", "KES", "mpesa", "pay_offline"),
        ("mobile_money", "XOF", "orange", "send_otp"),
    ],
)
async def test_channel_that_is_approved_on_the_phone_pays(
    merchant: Merchant, receiver: WebhookReceiver, channel: str, currency: str, provider: str | None, status: str
) -> None:
    reference = (await merchant.start(currency=currency))["reference"]
    shown = await step(merchant, reference, "channel", channel=channel, provider=provider)
    assert (shown["status"], (await merchant.verify(reference))["status"]) == (status, "ongoing")
    await step(merchant, reference, "approve", after_ms=50)
    assert (await merchant.verify(reference))["status"] in {"pending", "success"}
    await merchant.wait_for_status(reference, "success")
    (webhook,) = await webhook_bodies(receiver, 1)
    assert (webhook["event"], webhook["data"]["channel"]) == ("charge.success", channel)


async def test_rejected_approval_fails_and_another_channel_pays(shared_merchant: Merchant) -> None:
    reference = (await shared_merchant.start())["reference"]
    await step(shared_merchant, reference, "channel", channel="ussd", provider="919")
    await step(shared_merchant, reference, "approve", approved=False)
    transaction = await shared_merchant.verify(reference)
    assert (transaction["status"], transaction["gateway_response"]) == ("failed", "The payer rejected the payment")
    refused = await shared_merchant.control(f"transactions/{reference}/approve")
    assert (refused.status_code, refused.json()["code"]) == (409, "no_pending_charge")
    await step(shared_merchant, reference, "transfer")
    assert (await shared_merchant.verify(reference))["status"] == "success"


async def test_charge_that_nobody_approves_times_out(shared_merchant: Merchant) -> None:
    reference = (await shared_merchant.start(currency="GHS"))["reference"]
    await step(shared_merchant, reference, "channel", channel="mobile_money", lifetime_ms=50)
    await shared_merchant.wait_for_status(reference, "abandoned")
    assert (await shared_merchant.get(f"/charge/{reference}"))["status"] == "timeout"


@pytest.mark.parametrize(
    ("fields", "choice"),
    [
        ({"currency": "GHS"}, {"channel": "bank_transfer"}),
        ({"currency": "USD"}, {"channel": "mobile_money"}),
        ({}, {"channel": "qr"}),
        ({}, {"channel": "card"}),
        ({"channels": ["card", "ussd"]}, {"channel": "bank_transfer"}),
        ({"amount": 9_999}, {"channel": "bank_transfer"}),
        ({}, {"channel": "ussd", "provider": "mtn"}),
    ],
)
async def test_channel_that_is_not_offered_is_refused(
    shared_merchant: Merchant, fields: dict[str, Any], choice: dict[str, str]
) -> None:
    reference = (await shared_merchant.start(**fields))["reference"]
    assert (await shared_merchant.control(f"transactions/{reference}/channel", **choice)).status_code == 400
    assert (await shared_merchant.verify(reference))["status"] == "abandoned"


async def test_paid_transaction_takes_no_transfer(shared_merchant: Merchant) -> None:
    paid = await shared_merchant.paid()
    for path, body in (("transfer", {}), ("approve", {}), ("channel", {"channel": "ussd"})):
        response = await shared_merchant.control(f"transactions/{paid['reference']}/{path}", **body)
        assert (response.status_code, response.json()["code"]) == (409, "already_paid")
    unknown = await shared_merchant.control("transactions/no-such-reference/transfer")
    assert unknown.status_code == 404


async def test_transfer_on_its_way_during_a_kill_arrives_afterwards(tmp_path: Any) -> None:
    database = tmp_path / "sandbox.db"
    async with sandbox_process(database) as first:
        reference = (await first.merchant.start())["reference"]
        await step(first.merchant, reference, "transfer", after_ms=500)
    async with sandbox_process(database) as second:
        await second.merchant.wait_for_status(reference, "success")
