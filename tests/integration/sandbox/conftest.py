from collections.abc import AsyncIterator

import pytest

from tests.fakes.webhook_receiver import WebhookReceiver
from tests.fixtures.merchant import Merchant
from tests.fixtures.sandbox import in_process_sandbox, sandbox_process


@pytest.fixture(scope="session")
async def shared_merchant() -> AsyncIterator[Merchant]:
    """One sandbox for all tests that look only at their own transactions. It sends no webhooks."""
    async with in_process_sandbox() as merchant:
        yield merchant


@pytest.fixture(scope="session")
async def process_merchant(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Merchant]:
    """One sandbox in its own process, for faults that need a real connection. Every test removes its faults."""
    database = tmp_path_factory.mktemp("sandbox") / "sandbox.db"
    async with sandbox_process(database, SANDBOX_REFUND_SECONDS="0") as process:
        yield process.merchant


@pytest.fixture
async def isolated_merchant() -> AsyncIterator[Merchant]:
    """A sandbox of its own that sends no webhooks."""
    async with in_process_sandbox() as merchant:
        yield merchant


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    async with WebhookReceiver() as receiver:
        yield receiver


@pytest.fixture
async def merchant(receiver: WebhookReceiver) -> AsyncIterator[Merchant]:
    """A sandbox of its own with webhooks. A failed delivery is repeated after 10 ms; refunds do not change by themselves."""
    async with in_process_sandbox(webhook_url=receiver.url, time_scale=0.01) as merchant:
        yield merchant
