"""Fixtures of the kit's unit tests."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from tests.fixtures.logging_restored import logging_restored
from tests.fixtures.sample_app import sample_client


@pytest.fixture(autouse=True)
def restore_logging() -> Iterator[None]:
    """Restore the logging of the process, which these tests configure."""
    with logging_restored():
        yield


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with sample_client() as client:
        yield client
