"""Rules that are tested with generated values, or with generated sequences of actions and a small model of what must be true."""

import tests.fixtures.environment  # noqa: F401, I001 -- services read it when they are imported

from collections.abc import AsyncIterator

import pytest

from tests.fixtures.in_process_shop import InProcessShop, open_shop
from tests.fixtures.tokens import Signer


@pytest.fixture
async def shop(postgres: object, signer: Signer) -> AsyncIterator[InProcessShop]:
    """catalog and payments on empty databases."""
    async with open_shop(signer) as found:
        yield found
