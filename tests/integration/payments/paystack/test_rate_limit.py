"""Every call to Paystack counts once against the rate limit, in background jobs and in requests."""

from collections.abc import AsyncIterator

import httpx
import pytest

from services.payments.clients import Clients
from services.payments.paystack.client import Paystack
from services.payments.paystack.rate_limit import Bucket, RateLimit
from tests.factories.payments import create_paid_payment, create_payment
from tests.fakes.catalog import FakeCatalog
from tests.fakes.paystack import FakePaystack
from tests.fakes.shutdown import UntilIdle
from tests.fixtures.apps import RunningApp
from tests.fixtures.payments import paystack_client
from tests.fixtures.payments_jobs import Jobs
from tests.fixtures.payments_requests import charge_card, save_card

ALLOWED_AT_ONCE = 10
"""With 120 background calls per minute, five seconds' worth may be made at once."""


@pytest.fixture
async def limited(payments: RunningApp, paystack: FakePaystack, clients: Clients) -> AsyncIterator[Paystack]:
    """The Paystack client of the app. Its clock stands still, so no further call is allowed as time passes."""
    rate_limit = RateLimit(600, 120, lambda: 0.0)
    async with paystack_client(paystack, rate_limit) as client:
        payments.state["clients"] = Clients(catalog=clients.catalog, configured_paystack=client)
        yield client


async def calls_left(paystack: Paystack, bucket: Bucket = "other_calls") -> int:
    """Make background calls until one would have to wait. Return how many could be made."""
    count = 0
    while await paystack.rate_limit.acquire(bucket, UntilIdle()):
        paystack.rate_limit.count(bucket)
        count += 1
    return count


async def test_limit_before_any_call_allows_all_calls(limited: Paystack) -> None:
    assert await calls_left(limited) == ALLOWED_AT_ONCE


async def test_checkout_counts_its_call_and_the_one_for_the_session_timeout(
    client: httpx.AsyncClient, catalog: FakeCatalog, customer: dict[str, str], limited: Paystack
) -> None:
    answer = await client.post("/payments", json={"order_id": catalog.add_order()}, headers=customer)
    assert answer.status_code == 201, answer.text
    assert await calls_left(limited) == ALLOWED_AT_ONCE - 2


async def test_verify_counts_one_call(client: httpx.AsyncClient, customer: dict[str, str], limited: Paystack) -> None:
    payment = await create_payment()
    answer = await client.post(f"/payments/{payment.reference}/verify", headers=customer)
    assert answer.status_code == 200, answer.text
    assert await calls_left(limited) == ALLOWED_AT_ONCE - 1


async def test_charging_a_saved_card_counts_its_call_and_the_one_for_the_session_timeout(
    client: httpx.AsyncClient, catalog: FakeCatalog, customer: dict[str, str], limited: Paystack
) -> None:
    card = await save_card(client, customer)
    assert (await charge_card(client, customer, catalog.add_order(), card)).status_code == 201
    assert await calls_left(limited) == ALLOWED_AT_ONCE - 2


async def test_a_background_job_counts_each_call_once(
    client: httpx.AsyncClient, paystack: FakePaystack, jobs: Jobs, limited: Paystack
) -> None:
    payment = await create_paid_payment()
    paystack.add_transaction(payment.reference)
    made_before = len(paystack.calls)
    await Jobs(limited, jobs.notifier).sync_refunds(payment.reference)
    made = len(paystack.calls) - made_before
    assert made >= 1
    assert await calls_left(limited) == ALLOWED_AT_ONCE - made
