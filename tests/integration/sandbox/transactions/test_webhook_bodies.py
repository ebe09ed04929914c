import json
from typing import Any

import pytest

from tests.fakes.webhook_receiver import WebhookReceiver
from tests.fixtures.merchant import Merchant

OLD = {"requested_amount", "pos_transaction_data", "source", "fees_breakdown", "split", "order_id"}


async def pay_and_receive(
    merchant: Merchant, receiver: WebhookReceiver, currency: str = "NGN", **instruction: Any
) -> dict[str, Any]:
    """Pay a transaction, and return the data of its webhook."""
    before = len(receiver.received)
    started = await merchant.start(currency=currency)
    response = await merchant.pay(started["reference"], **instruction)
    assert response.status_code == 200, response.text
    received = await receiver.wait(before + 1)
    data: dict[str, Any] = json.loads(received[-1].body)["data"]
    assert data["reference"] == started["reference"]
    if "channel" in data:
        assert data["channel"] == (await merchant.verify(started["reference"]))["channel"]
    return data


async def test_webhook_of_a_transfer_has_sender_and_receiver(merchant: Merchant, receiver: WebhookReceiver) -> None:
    plain = await pay_and_receive(merchant, receiver, channel="bank_transfer")
    assert plain["authorization"]["sender_bank_account_number"].startswith("XXXXXXX")
    assert "receiver_bank" not in plain["authorization"]
    assert (plain["gateway_response"], plain["authorization"]["reusable"]) == ("Approved", False)
    pesalink = await pay_and_receive(merchant, receiver, "KES", channel="bank_transfer")
    assert pesalink["authorization"]["receiver_bank"]
    assert pesalink["fees_breakdown"] == {"amount": str(pesalink["fees"]), "formula": None, "type": "paystack"}
    assert pesalink["metadata"] == 0
    dedicated = await pay_and_receive(merchant, receiver, channel="dedicated_nuban", amount=1)
    assert len(dedicated["authorization"]["receiver_bank_account_number"]) == 10
    assert (dedicated["amount"], dedicated["requested_amount"]) == (1, 250_000)


async def test_webhook_of_an_older_channel_has_fewer_fields(merchant: Merchant, receiver: WebhookReceiver) -> None:
    for channel, group in (("ussd", False), ("mobile_money", True)):
        data = await pay_and_receive(merchant, receiver, "GHS", channel=channel)
        assert not OLD & data.keys()
        assert ("subaccount_group" in data) == group
        assert "international_format_phone" not in data["customer"]
        assert (data["message"], data["authorization"]["channel"]) == ("madePayment", channel)
        assert (data["fees"] is None) == (channel == "ussd")
    qr = await pay_and_receive(merchant, receiver, "ZAR", channel="qr")
    assert OLD & qr.keys() == {"fees_breakdown"}
    assert qr["fees_breakdown"]["amount"] == str(qr["fees"])


async def test_webhook_of_a_terminal_has_amounts_as_texts(merchant: Merchant, receiver: WebhookReceiver) -> None:
    data = await pay_and_receive(merchant, receiver, channel="pos")
    assert (data["amount"], data["requested_amount"], data["fees"]) == ("250000", "250000", None)
    assert (data["metadata"], data["source"]["type"]) == (0, "offline")
    assert "authorization_code" not in data["authorization"]
    assert (await merchant.verify(data["reference"]))["amount"] == 250_000


async def test_mandate_of_a_direct_debit_can_be_charged_again(merchant: Merchant, receiver: WebhookReceiver) -> None:
    data = await pay_and_receive(merchant, receiver, channel="direct_debit")
    mandate = data["authorization"]
    assert (mandate["reusable"], mandate["last4"], mandate["brand"]) == (True, None, None)
    fields = {"email": "ada@example.com", "amount": 5, "authorization_code": mandate["authorization_code"]}
    charged = (await merchant.call("POST", "/transaction/charge_authorization", json=fields)).json()["data"]
    assert (charged["channel"], charged["authorization"]) == (
        "direct_debit",
        mandate | {each: charged["authorization"][each] for each in ("exp_month", "exp_year")},
    )


async def test_webhook_of_each_shape_has_its_fields(merchant: Merchant, receiver: WebhookReceiver) -> None:
    legacy = await pay_and_receive(merchant, receiver, shape="legacy")
    assert not (OLD | {"paidAt", "fees_split"}) & legacy.keys()
    assert (legacy["metadata"], legacy["fees"], legacy["log"]["authentication"]) == (0, None, "pin")
    assert "reusable" not in legacy["authorization"]
    subscription = await pay_and_receive(merchant, receiver, shape="subscription")
    assert (subscription["plan"]["amount"], subscription["metadata"]) == (250_000, {"invoice_action": "create"})
    bulk = await pay_and_receive(merchant, receiver, shape="bulk_charge")
    assert (bulk["source"]["entry_point"], bulk["metadata"]["custom_fields"][0]["value"]) == ("charge", "Bulkcharge")
    terminal = await pay_and_receive(merchant, receiver, shape="virtual_terminal")
    assert terminal["source"]["identifier"] == terminal["metadata"]["virtual_terminal"]["code"]
    split = await pay_and_receive(merchant, receiver, shape="multi_split")
    assert not {"currency", "channel", "customer", "fees", "created_at"} & split.keys()
    shares = split["split"]["shares"]
    assert shares["paystack"] + shares["integration"] + shares["subaccounts"][0]["amount"] == 250_000


@pytest.mark.parametrize(
    "instruction", [{"channel": "cheque"}, {"shape": "round"}, {"channel": "qr", "shape": "legacy"}]
)
async def test_payment_with_an_unknown_channel_or_shape_is_refused(
    shared_merchant: Merchant, instruction: dict[str, str]
) -> None:
    started = await shared_merchant.start()
    assert (await shared_merchant.pay(started["reference"], **instruction)).status_code == 422
