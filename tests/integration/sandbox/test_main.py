import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.merchant import KEY
from tests.fixtures.sandbox import PROJECT, sandbox_process


@pytest.mark.parametrize(
    ("environment", "text"),
    [
        ({}, "PAYSTACK_SECRET_KEY (or PAYSTACK_SECRET_KEY_FILE) must hold"),
        ({"PAYSTACK_SECRET_KEY": "pk_test_hello"}, "PAYSTACK_SECRET_KEY (or PAYSTACK_SECRET_KEY_FILE) must hold"),
        ({"PAYSTACK_SECRET_KEY_FILE": "/nowhere"}, "PAYSTACK_SECRET_KEY_FILE cannot be read"),
        ({"PAYSTACK_SECRET_KEY": KEY, "SANDBOX_PORT": "many"}, "SANDBOX_PORT: "),
        ({"PAYSTACK_SECRET_KEY": KEY, "SANDBOX_WEBHOOK_URL": "shop"}, "SANDBOX_WEBHOOK_URL: must start with http"),
    ],
)
def test_start_with_an_invalid_environment_prints_one_line(environment: dict[str, str], text: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "sandbox"],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    assert ended.returncode == 1
    assert text in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "pk_test_hello" not in ended.stderr


async def test_start_with_a_key_file_uses_its_key(tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text(f"{KEY}\n")
    async with sandbox_process(
        tmp_path / "s.db", PAYSTACK_SECRET_KEY="", PAYSTACK_SECRET_KEY_FILE=str(secret)
    ) as process:
        assert (await process.merchant.verify((await process.merchant.start())["reference"]))["domain"] == "test"
