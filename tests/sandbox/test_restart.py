import json
import signal
import subprocess
import sys
import time
from pathlib import Path

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


async def test_a_webhook_under_way_at_a_stop_is_sent_again_at_once(tmp_path: Path) -> None:
    database = tmp_path / "sandbox.db"
    async with Receiver() as receiver:
        async with running(database, SANDBOX_WEBHOOK_URL=receiver.url) as process:
            started = await process.merchant.start()
            receiver.held.add(started["reference"].encode())
            await process.merchant.pay(started["reference"])
            await receiver.wait(1)
            before = time.monotonic()
            assert await process.end(signal.SIGTERM) == 0
            assert time.monotonic() - before < 2
        receiver.held.clear()
        async with running(database, SANDBOX_WEBHOOK_URL=receiver.url) as process:
            await receiver.wait(2, seconds=5)
            await process.merchant.webhooks(pending=0, delivered=1)


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
