import asyncio
import json

import httpx
import pytest

from sandbox.webhooks.queue import QUICK_ATTEMPTS, SLOW_ATTEMPTS
from tests.fakes.webhook_receiver import WebhookReceiver, signature_of
from tests.fixtures.merchant import KEY, Merchant
from tests.fixtures.sandbox import in_process_sandbox


async def test_webhook_of_a_payment_is_signed_and_matches_verify(merchant: Merchant, receiver: WebhookReceiver) -> None:
    started = await merchant.start(metadata={"url": "https://a/é"}, label="x")
    await merchant.pay(started["reference"])
    (received,) = await receiver.wait(1)
    assert received.signature == signature_of(received.body, KEY)
    assert received.headers["content-type"] == "application/json"
    webhook = json.loads(received.body)
    assert webhook.keys() == {"event", "data"}
    assert webhook["event"] == "charge.success"
    assert received.body == json.dumps(webhook, separators=(",", ":"), ensure_ascii=False).encode()
    transaction = await merchant.verify(started["reference"])
    for key in ("id", "domain", "status", "reference", "amount", "currency", "fees", "paid_at", "metadata", "customer"):
        assert webhook["data"][key] == transaction[key]


@pytest.mark.parametrize("outcome", ["failed", "abandoned"])
async def test_webhook_after_a_failed_attempt_is_sent_only_for_the_success(
    merchant: Merchant, receiver: WebhookReceiver, outcome: str
) -> None:
    started = await merchant.start()
    assert (await merchant.pay(started["reference"], outcome=outcome)).status_code == 200
    assert (await merchant.webhooks())["pending"] == 0
    await merchant.pay(started["reference"])  # the payer pays after the first attempt
    assert json.loads((await receiver.wait(1))[0].body)["data"]["status"] == "success"


async def test_webhook_not_answered_with_200_is_sent_again_with_the_same_bytes(
    merchant: Merchant, receiver: WebhookReceiver
) -> None:
    receiver.answers.extend([500, 302, 201, 404])
    started = await merchant.start()
    await merchant.pay(started["reference"])
    received = await receiver.wait(5)
    assert {each.body for each in received} == {received[0].body}
    assert {each.signature for each in received} == {signature_of(received[0].body, KEY)}
    await merchant.webhooks(pending=0, delivered=1)
    shown = (await merchant.http.get(f"/sandbox/transactions/{started['reference']}")).json()["data"]
    assert shown["status"] == "success"
    assert [attempt["status"] for attempt in shown["webhooks"][0]["attempts"]] == [500, 302, 201, 404, 200]


async def test_deliveries_that_are_not_answered_are_sent_at_the_same_time(
    merchant: Merchant, receiver: WebhookReceiver
) -> None:
    started = await merchant.start()
    receiver.unanswered.add(started["reference"].encode())  # none gets a response, so all must be sent concurrently
    await merchant.pay(started["reference"], deliveries=50)
    assert len({each.body for each in await receiver.wait(50, seconds=4)}) == 1


async def test_webhook_with_zero_deliveries_is_lost(merchant: Merchant, receiver: WebhookReceiver) -> None:
    started = await merchant.start()
    response = await merchant.pay(started["reference"], deliveries=0)
    assert response.json()["data"]["status"] == "success"
    data = await merchant.webhooks(pending=0, delivered=0, given_up=0, lost=1)
    assert data["webhooks"][0]["attempts"] == []
    assert receiver.received == []


async def test_webhook_with_a_delay_is_sent_later(merchant: Merchant, receiver: WebhookReceiver) -> None:
    late, soon = await merchant.start(), await merchant.start()
    await merchant.pay(late["reference"], delay_ms=250)
    await merchant.pay(soon["reference"])
    received = await receiver.wait(2)
    assert [json.loads(each.body)["data"]["reference"] for each in received] == [soon["reference"], late["reference"]]


async def test_webhook_that_is_not_answered_delays_no_other(merchant: Merchant, receiver: WebhookReceiver) -> None:
    slow, quick = await merchant.start(), await merchant.start()
    receiver.unanswered.add(slow["reference"].encode())
    await merchant.pay(slow["reference"])
    await receiver.wait(1)
    await merchant.pay(quick["reference"])
    await merchant.webhooks(pending=1, delivered=1)


async def test_webhook_after_the_last_attempt_is_given_up() -> None:
    async with WebhookReceiver() as gone:
        url = gone.url
    async with in_process_sandbox(webhook_url=url, time_scale=0.0001) as merchant:
        started = await merchant.start()
        await merchant.pay(started["reference"])
        data = await merchant.webhooks(pending=0, given_up=1)
        assert data["webhooks"][0]["attempt_count"] == QUICK_ATTEMPTS + SLOW_ATTEMPTS
        assert "ConnectError" in data["webhooks"][0]["attempts"][0]["error"]
        assert (await merchant.http.get("/sandbox/webhooks?state=delivered")).json()["data"]["webhooks"] == []


async def test_webhooks_of_many_concurrent_payments_are_all_delivered(
    merchant: Merchant, receiver: WebhookReceiver
) -> None:
    async def purchase() -> httpx.Response:
        return await merchant.pay((await merchant.start())["reference"])

    responses = await asyncio.gather(*(purchase() for _ in range(100)))
    assert {response.status_code for response in responses} == {200}
    await merchant.webhooks(pending=0, delivered=100)
    assert len({each.body for each in receiver.received}) == 100
