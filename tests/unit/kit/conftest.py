"""Fixtures of the kit's unit tests."""

import logging
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import structlog

from tests.fixtures.sample_app import sample_client


@pytest.fixture(autouse=True)
def restore_logging() -> Iterator[None]:
    """Restore the logging of the process, which these tests configure."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    config = structlog.get_config()
    yield
    root.handlers, _ = before
    root.setLevel(before[1])
    structlog.configure(**config)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with sample_client() as client:
        yield client
