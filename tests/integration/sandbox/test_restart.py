"""The sandbox in its own process: data and webhooks after a stop or a kill."""

import asyncio
import json
import signal
import time
from pathlib import Path

import httpx
import pytest

from tests.fakes.webhook_receiver import WebhookReceiver
from tests.fixtures.sandbox import free_port, sandbox_process


async def test_kill_with_undelivered_webhooks_loses_nothing(tmp_path: Path) -> None:
    port = free_port()
    url, database = f"http://127.0.0.1:{port}/webhooks", tmp_path / "deep" / "sandbox.db"
    async with sandbox_process(database, SANDBOX_WEBHOOK_URL=url) as process:
        started = [await process.merchant.start() for _ in range(3)]
        for each in started:
            await process.merchant.pay(each["reference"])  # no receiver is listening
        assert await process.end(signal.SIGKILL) == -signal.SIGKILL
    async with WebhookReceiver(port) as receiver, sandbox_process(database, SANDBOX_WEBHOOK_URL=url) as process:
        received = await receiver.wait(3)
        paid = {json.loads(each.body)["data"]["reference"] for each in received}
        assert paid == {each["reference"] for each in started}
        await process.merchant.webhooks(pending=0, delivered=3)
        for each in started:
            assert (await process.merchant.verify(each["reference"]))["status"] == "success"
        again = await process.merchant.initialize(email="a@example.com", amount=1, reference=started[0]["reference"])
        assert again.json()["code"] == "duplicate_reference"


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGKILL])
async def test_webhook_in_progress_at_a_stop_is_sent_again_at_once(tmp_path: Path, stop: signal.Signals) -> None:
    database = tmp_path / "sandbox.db"
    async with WebhookReceiver() as receiver:
        async with sandbox_process(database, SANDBOX_WEBHOOK_URL=receiver.url) as process:
            started = await process.merchant.start()
            receiver.unanswered.add(started["reference"].encode())
            await process.merchant.pay(started["reference"])
            await receiver.wait(1)
            before = time.monotonic()
            assert await process.end(stop) == (0 if stop == signal.SIGTERM else -stop)
            assert time.monotonic() - before < 2
        receiver.unanswered.clear()
        async with sandbox_process(database, SANDBOX_WEBHOOK_URL=receiver.url) as process:
            await receiver.wait(2, seconds=5)
            await process.merchant.webhooks(pending=0, delivered=1)


async def test_kill_during_many_calls_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    """Sixteen concurrent clients pay and refund, every webhook is ordered three times, and the process is killed meanwhile."""
    database, paid, refunded = tmp_path / "sandbox.db", set[str](), dict[int, str]()
    async with WebhookReceiver() as receiver:
        settings = {"SANDBOX_WEBHOOK_URL": receiver.url, "SANDBOX_REFUND_SECONDS": "0.05"}
        async with sandbox_process(database, **settings) as process:
            faults = {"webhooks": {"deliveries": 2, "again_after_ms": 50}}
            await process.merchant.http.put("/sandbox/faults", json=faults)

            async def pay_and_refund() -> None:
                while True:
                    payment = await process.merchant.paid()
                    paid.add(payment["reference"])
                    refund = await process.merchant.refund(payment["reference"], amount=5)
                    refunded[refund["id"]] = payment["reference"]

            tasks = [asyncio.create_task(pay_and_refund()) for _ in range(16)]
            await receiver.wait(200)
            assert await process.end(signal.SIGKILL) == -signal.SIGKILL
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(each, httpx.TransportError) for each in ended)
        async with sandbox_process(database, **settings) as process:
            for reference in paid:
                verified = (await process.merchant.verify(reference))["status"]
                assert verified in ("success", "reversal-pending", "reversed")
            for number, reference in refunded.items():
                await process.merchant.wait_for_status(reference, "reversed")
                assert (await process.merchant.get(f"/refund/{number}"))["status"] == "processed"
            await process.merchant.webhooks(pending=0, given_up=0, lost=0)
        references: dict[str, set[str]] = {}
        for received in receiver.received:
            webhook = json.loads(received.body)
            data = webhook["data"]
            references.setdefault(webhook["event"], set()).add(data.get("reference") or data["transaction_reference"])
        assert len(paid) > 20
        assert paid <= references["charge.success"]
        assert set(refunded.values()) <= references["refund.processed"]
