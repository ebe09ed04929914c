"""A lock on a payment's row that is held for longer than the lock timeout."""

import asyncio
import time

import asyncpg
import pytest

from dev.chaos.invariants import Invariants
from dev.stack.stack import Stack
from tests.fixtures.stack_client import StackClient, charge_success

pytestmark = pytest.mark.usefixtures("invariants")

LOCK_SECONDS = 5.0
OTHERS = 10


async def test_webhooks_when_one_payment_is_locked_delay_only_that_payment(shop: StackClient, stack: Stack) -> None:
    """The other webhook events are in the same batches, and the lock is held for longer than the lock timeout."""
    product = await shop.product(stock=30)
    begun = [await shop.begin_purchase(product) for _ in range(OTHERS + 1)]
    locked, *others = begun
    holder = await asyncpg.connect(stack.env["PAYMENTS_DATABASE_URL"], timeout=5)
    try:
        await holder.execute("BEGIN")
        await holder.execute("SELECT 1 FROM payments WHERE reference = $1 FOR UPDATE", locked[2]["reference"])
        since = time.monotonic()
        assert (await shop.post_webhook(charge_success(locked[2]["reference"]))).status_code == 200
        waited = []
        for buyer, order, payment in others:
            began = time.monotonic()
            assert (await shop.post_webhook(charge_success(payment["reference"]))).status_code == 200
            await shop.wait_delivered(buyer, order, 10)
            waited.append(time.monotonic() - began)
            await asyncio.sleep(max(0.0, since + LOCK_SECONDS / OTHERS * len(waited) - time.monotonic()))
        assert (await shop.payment(locked[0], locked[2]["reference"]))["status"] == "pending"
        print("the others waited", [round(seconds, 2) for seconds in waited])
        assert max(waited) < 1.5, waited
    finally:
        await holder.close(timeout=5)
    await shop.wait_delivered(locked[0], locked[1])
    rows = await Invariants(stack).rows(
        "payments", f"SELECT attempts, status FROM webhook_events WHERE reference = '{locked[2]['reference']}'"
    )
    assert [tuple(row) for row in rows] == [(1, "processed")]  # waiting for a lock uses no attempt
