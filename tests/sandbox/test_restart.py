import asyncio
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.sandbox.merchant import KEY
from tests.sandbox.process import free_port, running
from tests.sandbox.receiver import Receiver

ROOT = Path(__file__).parents[2]


async def test_a_kill_loses_neither_transactions_nor_webhooks(tmp_path: Path) -> None:
    port = free_port()
    url, database = f"http://127.0.0.1:{port}/webhooks", tmp_path / "deep" / "sandbox.db"
    async with running(database, SANDBOX_WEBHOOK_URL=url) as process:
        started = [await process.merchant.start() for _ in range(3)]
        for each in started:
            await process.merchant.pay(each["reference"])  # nobody listens
        assert await process.end(signal.SIGKILL) == -signal.SIGKILL
    async with Receiver(port) as receiver, running(database, SANDBOX_WEBHOOK_URL=url) as process:
        received = await receiver.wait(3)
        paid = {json.loads(each.body)["data"]["reference"] for each in received}
        assert paid == {each["reference"] for each in started}
        await process.merchant.webhooks(pending=0, delivered=3)
        for each in started:
            assert (await process.merchant.verify(each["reference"]))["status"] == "success"
        again = await process.merchant.initialize(email="a@example.com", amount=1, reference=started[0]["reference"])
        assert again.json()["code"] == "duplicate_reference"


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGKILL])
async def test_a_webhook_under_way_at_a_stop_is_sent_again_at_once(tmp_path: Path, stop: signal.Signals) -> None:
    database = tmp_path / "sandbox.db"
    async with Receiver() as receiver:
        async with running(database, SANDBOX_WEBHOOK_URL=receiver.url) as process:
            started = await process.merchant.start()
            receiver.held.add(started["reference"].encode())
            await process.merchant.pay(started["reference"])
            await receiver.wait(1)
            before = time.monotonic()
            assert await process.end(stop) == (0 if stop == signal.SIGTERM else -stop)
            assert time.monotonic() - before < 2
        receiver.held.clear()
        async with running(database, SANDBOX_WEBHOOK_URL=receiver.url) as process:
            await receiver.wait(2, seconds=5)
            await process.merchant.webhooks(pending=0, delivered=1)


async def test_whatever_was_answered_before_a_kill_is_known_after_it(tmp_path: Path) -> None:
    """Payments, refunds and their webhooks, each of them ordered twice, from sixteen merchants at once; killed amid it all."""
    database, paid, refunded = tmp_path / "sandbox.db", set[str](), dict[int, str]()
    async with Receiver() as receiver:
        settings = {"SANDBOX_WEBHOOK_URL": receiver.url, "SANDBOX_REFUND_SECONDS": "0.05"}
        async with running(database, **settings) as process:
            weather = {"webhooks": {"deliveries": 2, "again_after_ms": 50}}
            await process.merchant.http.put("/sandbox/faults", json=weather)

            async def trade() -> None:
                while True:
                    payment = await process.merchant.paid()
                    paid.add(payment["reference"])
                    refund = await process.merchant.refund(payment["reference"], amount=5)
                    refunded[refund["id"]] = payment["reference"]

            trading = [asyncio.create_task(trade()) for _ in range(16)]
            await receiver.wait(200)
            assert await process.end(signal.SIGKILL) == -signal.SIGKILL
            ended = await asyncio.gather(*trading, return_exceptions=True)
            assert all(isinstance(each, httpx.TransportError) for each in ended)
        async with running(database, **settings) as process:
            for reference in paid:
                verified = (await process.merchant.verify(reference))["status"]
                assert verified in ("success", "reversal-pending", "reversed")
            for number, reference in refunded.items():
                await process.merchant.reaches(reference, "reversed")
                assert (await process.merchant.get(f"/refund/{number}"))["status"] == "processed"
            await process.merchant.webhooks(pending=0, given_up=0, lost=0)
        told: dict[str, set[str]] = {}
        for received in receiver.received:
            notice = json.loads(received.body)
            data = notice["data"]
            told.setdefault(notice["event"], set()).add(data.get("reference") or data["transaction_reference"])
        assert len(paid) > 20
        assert paid <= told["charge.success"]
        assert set(refunded.values()) <= told["refund.processed"]


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, "PAYSTACK_SECRET_KEY (or PAYSTACK_SECRET_KEY_FILE) must hold"),
        ({"PAYSTACK_SECRET_KEY": "pk_test_hello"}, "PAYSTACK_SECRET_KEY (or PAYSTACK_SECRET_KEY_FILE) must hold"),
        ({"PAYSTACK_SECRET_KEY_FILE": "/nowhere"}, "PAYSTACK_SECRET_KEY_FILE cannot be read"),
        ({"PAYSTACK_SECRET_KEY": KEY, "SANDBOX_PORT": "many"}, "SANDBOX_PORT: "),
        ({"PAYSTACK_SECRET_KEY": KEY, "SANDBOX_WEBHOOK_URL": "shop"}, "SANDBOX_WEBHOOK_URL: must start with http"),
    ],
)
def test_a_wrong_environment_is_said_in_a_line(environment: dict[str, str], words: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "sandbox"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    assert ended.returncode == 1
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "pk_test_hello" not in ended.stderr


async def test_the_key_may_stand_in_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text(f"{KEY}\n")
    async with running(tmp_path / "s.db", PAYSTACK_SECRET_KEY="", PAYSTACK_SECRET_KEY_FILE=str(secret)) as process:
        assert (await process.merchant.verify((await process.merchant.start())["reference"]))["domain"] == "test"
