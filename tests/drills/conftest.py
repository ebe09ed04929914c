"""Faults that take minutes: long outages, full disks, hundreds of rounds. `make drills` runs them, `make test` does not."""

import tests.fixtures.environment  # noqa: F401, I001 -- services read it when they are imported

from collections.abc import AsyncIterator

import pytest

from tests.fixtures.in_process_shop import InProcessShop, open_shop
from tests.fixtures.stack import (
    broker_control,
    console,
    failpoints,
    failpoints_folder,
    invariants,
    log_scanner,
    shop,
    stack,
    stack_log,
)
from tests.fixtures.tokens import Signer

__all__ = [
    "broker_control",
    "console",
    "failpoints",
    "failpoints_folder",
    "invariants",
    "log_scanner",
    "shop",
    "stack",
    "stack_log",
]


@pytest.fixture
async def in_process_shop(postgres: object, signer: Signer) -> AsyncIterator[InProcessShop]:
    """catalog and payments in this process, on empty databases."""
    async with open_shop(signer) as found:
        yield found
