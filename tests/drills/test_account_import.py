"""Import of the accounts of a large shop."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fixtures.auth_app import empty_auth_tables
from tests.fixtures.auth_cli import run_auth

pytestmark = [pytest.mark.drill, pytest.mark.alone]
ACCOUNTS = 100_000
MAX_SECONDS = 60
HASH = "$2b$12$" + "a" * 53


@pytest.fixture(autouse=True)
async def _empty_tables(postgres: object) -> AsyncIterator[None]:
    await empty_auth_tables()
    yield
    await empty_auth_tables()


async def test_import_of_a_hundred_thousand_accounts_takes_less_than_a_minute(tmp_path: Path) -> None:
    file = tmp_path / "accounts.jsonl"
    with file.open("w") as opened:
        for number in range(ACCOUNTS):
            account = {"email": f"user{number}@example.com", "password_hash": HASH, "name": f"Ada Obi {number}"}
            opened.write(json.dumps(account) + "\n")
    async with asyncio.timeout(MAX_SECONDS):
        code, out = await run_auth("account", "import", str(file))
    assert (code, out.strip()) == (0, f"imported: {ACCOUNTS}, existing: 0, refused: 0")
    code, out = await run_auth("account", "import", str(file))
    assert (code, out.strip()) == (0, f"imported: 0, existing: {ACCOUNTS}, refused: 0")
