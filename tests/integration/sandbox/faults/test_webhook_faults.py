import json
from typing import Any

from tests.fakes.webhook_receiver import WebhookReceiver
from tests.fixtures.merchant import Merchant


async def set_faults(merchant: Merchant, **faults: Any) -> None:
    assert (await merchant.http.put("/sandbox/faults", json=faults)).status_code == 200


async def test_webhooks_with_deliveries_and_again_after_are_repeated(
    merchant: Merchant, receiver: WebhookReceiver
) -> None:
    await set_faults(merchant, webhooks={"deliveries": 2, "again_after_ms": 50})
    await merchant.paid()
    assert len({each.body for each in await receiver.wait(3)}) == 1
    await merchant.webhooks(pending=0, delivered=3)
    await merchant.paid(deliveries=1, delay_ms=0)  # its own deliveries, and again_after_ms still applies
    await receiver.wait(5)
    await set_faults(merchant, webhooks={"deliveries": 0, "again_after_ms": 0})
    await merchant.paid()
    await merchant.webhooks(pending=0, delivered=5, lost=1)


async def test_webhooks_with_reverse_ms_arrive_in_reverse_order(merchant: Merchant, receiver: WebhookReceiver) -> None:
    await set_faults(merchant, webhooks={"reverse_ms": 400})
    paid = await merchant.paid()
    refund = await merchant.refund(paid["reference"], amount=5)
    await merchant.control(f"refunds/{refund['id']}", outcome="processed")
    names = [json.loads(each.body)["event"] for each in await receiver.wait(3)]
    assert names == ["refund.processed", "refund.pending", "charge.success"]


async def test_webhooks_with_delay_ms_arrive_later(merchant: Merchant, receiver: WebhookReceiver) -> None:
    await set_faults(merchant, webhooks={"delay_ms": 200})
    late = await merchant.paid()
    soon = await merchant.paid(delay_ms=0)
    assert [json.loads(each.body)["data"]["id"] for each in await receiver.wait(2)] == [soon["id"], late["id"]]
