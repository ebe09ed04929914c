from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from sandbox.app import create_app
from sandbox.settings import Settings
from tests.sandbox.merchant import KEY, ORIGIN, Merchant
from tests.sandbox.receiver import Receiver


@asynccontextmanager
async def sandbox(**settings: Any) -> AsyncIterator[Merchant]:
    chosen: dict[str, Any] = {
        "secret_key": SecretStr(KEY),
        "public_url": ORIGIN,
        "webhook_url": None,
        "database": ":memory:",
        "refund_seconds": 0,
    } | settings
    app = create_app(Settings(**chosen))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ORIGIN, timeout=5) as http,
    ):
        yield Merchant(http)


@pytest.fixture(scope="session")
async def shared() -> AsyncIterator[Merchant]:
    """One sandbox for tests that only look at their own transactions; it sends no webhooks."""
    async with sandbox() as merchant:
        yield merchant


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as listening:
        yield listening


@pytest.fixture
async def merchant(receiver: Receiver) -> AsyncIterator[Merchant]:
    """A sandbox of its own, with webhooks: a failed delivery is tried again after 10 ms; no refund moves by itself."""
    async with sandbox(webhook_url=receiver.url, time_scale=0.01) as own:
        yield own
