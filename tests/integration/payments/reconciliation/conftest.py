"""Fixtures of the tests of reconciliation."""

from collections.abc import AsyncIterator

import pytest

from services.payments.paystack.client import Paystack
from services.payments.paystack.rate_limit import RateLimit
from tests.fakes.paystack import FakePaystack
from tests.fixtures.payments import paystack_client


@pytest.fixture
async def fast_client(paystack: FakePaystack) -> AsyncIterator[Paystack]:
    """A client whose background calls do not wait."""
    async with paystack_client(paystack, RateLimit(1_000_000)) as client:
        yield client
