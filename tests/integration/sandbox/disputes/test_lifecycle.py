import json
from typing import Any

from tests.fakes.webhook_receiver import WebhookReceiver
from tests.fixtures.merchant import Merchant
from tests.fixtures.sandbox import in_process_sandbox

EVIDENCE = {
    "customer_email": "ada@example.com",
    "customer_name": "Ada",
    "customer_phone": "0800",
    "service_details": "a book",
}
ACCEPTED = {
    "resolution": "merchant-accepted",
    "message": "We are sorry",
    "refund_amount": 100_000,
    "uploaded_filename": "a.pdf",
}


async def open_dispute(merchant: Merchant, reference: str, **more: Any) -> dict[str, Any]:
    response = await merchant.control("disputes", reference=reference, **more)
    assert response.status_code == 200, response.text
    data: dict[str, Any] = response.json()["data"]
    return data


async def test_dispute_opened_is_reported_in_webhook_and_api(merchant: Merchant, receiver: WebhookReceiver) -> None:
    paid = await merchant.paid()
    dispute = await open_dispute(merchant, paid["reference"], message="No book came")
    assert (dispute["status"], dispute["resolution"], dispute["refund_amount"]) == (
        "awaiting-merchant-feedback",
        None,
        250_000,
    )
    webhook = json.loads((await receiver.wait(2))[-1].body)
    assert webhook["event"] == "charge.dispute.create"
    data = webhook["data"]
    assert (data["id"], data["transaction"]["id"], data["last4"]) == (dispute["id"], paid["id"], "4081")
    assert data["messages"][0]["body"] == "No book came"
    assert (data["created_at"], data["transaction"]["authorization"]) == (dispute["createdAt"], {})
    assert "createdAt" not in data
    assert (await merchant.verify(paid["reference"]))["status"] == "success"
    shown = await merchant.get(f"/dispute/{dispute['id']}")
    assert shown | {"updatedAt": dispute["updatedAt"]} == dispute  # a reminder may have been sent meanwhile
    fetched = await merchant.get(f"/dispute/transaction/{paid['id']}")
    assert (fetched["id"], fetched["messages"][0]["dispute"]) == (dispute["id"], dispute["id"])


async def test_dispute_without_a_response_is_accepted_after_three_reminders() -> None:
    async with (
        WebhookReceiver() as receiver,
        in_process_sandbox(webhook_url=receiver.url, time_scale=0.004) as merchant,
    ):
        paid = await merchant.paid()
        dispute = await open_dispute(merchant, paid["reference"])  # an hour is 20 ms
        await merchant.wait_for_status(paid["reference"], "reversed")
        await merchant.webhooks(pending=0)
        webhooks = [json.loads(each.body) for each in receiver.received]
        reminders = [each["data"] for each in webhooks if each["event"] == "charge.dispute.remind"]
        assert len(reminders) == 3
        assert len({each["updated_at"] for each in reminders}) == 3
        assert {each["id"] for each in reminders} == {dispute["id"]}
        (settled,) = [each["data"] for each in webhooks if each["event"] == "charge.dispute.resolve"]
        assert (settled["status"], settled["resolution"]) == ("resolved", "auto-accepted")
        assert settled["transaction"]["status"] == "reversed"
        (refund,) = await merchant.get("/refund", transaction=paid["id"])
        assert (refund["dispute"], refund["amount"], refund["status"]) == (dispute["id"], 250_000, "processed")


async def test_dispute_accepted_by_the_merchant_is_refunded(merchant: Merchant, receiver: WebhookReceiver) -> None:
    paid = await merchant.paid()
    dispute = await open_dispute(merchant, paid["reference"])
    response = await merchant.call("PUT", f"/dispute/{dispute['id']}/resolve", json=ACCEPTED)
    assert (response.status_code, response.json()["message"]) == (200, "Dispute successfully resolved")
    resolved = response.json()["data"]
    assert (resolved["status"], resolved["resolution"], resolved["transaction"]) == (
        "resolved",
        "merchant-accepted",
        paid["id"],
    )
    assert resolved["message"]["body"] == "We are sorry"
    await receiver.wait(3)
    assert [each["amount"] for each in await merchant.get("/refund", transaction=paid["id"])] == [100_000]
    again = await merchant.call("PUT", f"/dispute/{dispute['id']}/resolve", json=ACCEPTED)
    assert (again.status_code, again.json()["message"]) == (400, "This dispute no longer waits for the merchant")
    assert (await merchant.control(f"disputes/{dispute['id']}", outcome="remind")).status_code == 409


async def test_dispute_declined_by_the_merchant_is_declined_by_the_bank(
    merchant: Merchant, receiver: WebhookReceiver
) -> None:
    paid = await merchant.paid()
    dispute = await open_dispute(merchant, paid["reference"])
    path = f"/dispute/{dispute['id']}"
    evidence = await merchant.call("POST", f"{path}/evidence", json=EVIDENCE)
    assert evidence.json()["message"] == "Evidence created"
    assert evidence.json()["data"].items() >= (EVIDENCE | {"dispute": dispute["id"]}).items()
    declined = await merchant.call("PUT", f"{path}/resolve", json=ACCEPTED | {"resolution": "declined"})
    assert declined.json()["data"]["status"] == "awaiting-bank-feedback"
    await receiver.wait(3)  # four hours are 200 ms
    assert json.loads(receiver.received[-1].body)["data"]["resolution"] == "declined"
    assert (await merchant.verify(paid["reference"]))["status"] == "success"
    assert await merchant.get("/refund", transaction=paid["id"]) == []
    assert (await merchant.get(path))["evidence"] is not None


async def test_control_of_a_dispute_reminds_and_resolves(merchant: Merchant, receiver: WebhookReceiver) -> None:
    paid = await merchant.paid()
    dispute = await open_dispute(merchant, paid["reference"], amount=7, category="fraud", deliveries=0)
    path = f"disputes/{dispute['id']}"
    await merchant.control(path, outcome="remind", deliveries=2)
    settled = (await merchant.control(path, outcome="merchant-accepted")).json()["data"]
    assert (settled["status"], settled["resolution"], settled["category"]) == ("resolved", "merchant-accepted", "fraud")
    await receiver.wait(4)
    assert (await merchant.control(path, outcome="declined")).json()["code"] == "dispute_resolved"
    assert (await merchant.control("disputes/1", outcome="remind")).status_code == 404
    assert (await merchant.control(f"disputes/{2**63}", outcome="remind")).status_code == 422
    await open_dispute(merchant, paid["reference"], amount=250_000 - 7)  # what is not refunded yet
    categories = {each["category"] for each in await merchant.get("/integration/webhooks/events")}
    assert categories == {"dispute", "transactions"}


async def test_reminders_by_control_calls_do_not_delay_the_decision_of_the_bank() -> None:
    async with in_process_sandbox(time_scale=0.004) as merchant:  # four hours are 80 ms
        paid = await merchant.paid()
        dispute = await open_dispute(merchant, paid["reference"], hours=1_000)
        declined = ACCEPTED | {"resolution": "declined"}
        await merchant.call("PUT", f"/dispute/{dispute['id']}/resolve", json=declined)
        for _ in range(1_000):
            reminded = await merchant.control(f"disputes/{dispute['id']}", outcome="remind", deliveries=0)
            if reminded.status_code != 200:
                break
        assert reminded.json()["code"] == "dispute_resolved"
        assert (await merchant.get(f"/dispute/{dispute['id']}"))["resolution"] == "declined"
