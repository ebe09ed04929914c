"""Running servers with the limits of kit/http/server_protocol.py."""

from collections.abc import AsyncIterator

import pytest

from tests.fixtures.http_server import PatientProtocol, Running, StrictProtocol, serving


@pytest.fixture
async def strict() -> AsyncIterator[Running]:
    async with serving(StrictProtocol) as running:
        yield running


@pytest.fixture
async def patient() -> AsyncIterator[Running]:
    async with serving(PatientProtocol) as running:
        yield running
