"""The whole picture with real parts: one stack for all tests of this folder, on free ports, in a folder of its own."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from dev.chaos.leaks import LogScanner
from dev.process.console import Console
from dev.stack.stack import Stack
from tests.conftest import ENVIRONMENT
from tests.system.invariants import Invariants
from tests.system.shop import Shop

SETTINGS = {
    "AUTH_BCRYPT_ROUNDS": "10",
    "PAYMENTS_VERIFY_AFTER_SECONDS": "3",
    "CATALOG_RESERVATION_SECONDS": "900",
    "LOG_LEVEL": "INFO",
}


@pytest.fixture(scope="session")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the parts of the stack print."""
    return tmp_path_factory.mktemp("stack") / "parts.log"


@pytest.fixture(scope="session")
def console(log: Path) -> Iterator[Console]:
    with log.open("w") as file:
        found = Console(output=file)
        yield found
        found.close()


@pytest.fixture(scope="session")
async def stack(console: Console) -> AsyncIterator[Stack]:
    # The stack takes servers that the environment names; ours is for the tests that run in this process.
    kept = {name: os.environ.pop(name) for name in ENVIRONMENT if name in os.environ}
    found = Stack(extra_env=SETTINGS, console=console)
    try:
        await found.up()
    finally:
        os.environ.update(kept)
    try:
        yield found
    finally:
        await found.down()


@pytest.fixture(scope="session")
async def shop(stack: Stack) -> AsyncIterator[Shop]:
    limits = httpx.Limits(max_connections=100, max_keepalive_connections=100)
    async with httpx.AsyncClient(timeout=15, trust_env=False, limits=limits) as client:
        yield Shop(stack, client)


@pytest.fixture(scope="session")
def logs(stack: Stack, log: Path) -> LogScanner:
    return LogScanner(log, stack.folder / "rabbitmq" / "log", stack.folder / "postgres" / "postgres.log")


@pytest.fixture
async def invariants(stack: Stack, shop: Shop, logs: LogScanner, console: Console) -> AsyncIterator[Invariants]:
    """Held to be true after every test that asks for them."""
    checker = Invariants(stack, shop, logs, console)
    yield checker
    await checker.check()
