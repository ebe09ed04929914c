"""Kill a process at each failpoint of a purchase and a refund; afterwards everything has happened once.

The failpoints are listed in tests/fixtures/failpoint_hooks. Each test waits until its processes were killed there.
"""

import asyncio
import os
import signal
from collections.abc import Coroutine
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from dev.chaos.invariants import Invariants
from dev.stack.stack import Stack
from tests.fixtures.failpoints import Failpoints, metric
from tests.fixtures.stack_client import Json, Purchase, StackClient, charge_success, until

# The deferred trigger runs during COMMIT, when the row is already written, and waits there for the lock of the test.
HOLD_COMMITS = """
CREATE FUNCTION wait_in_commit() RETURNS trigger LANGUAGE plpgsql
    AS 'BEGIN PERFORM pg_advisory_xact_lock(815); RETURN NULL; END';
CREATE CONSTRAINT TRIGGER wait_in_commit AFTER INSERT ON webhook_events DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION wait_in_commit();
"""
IN_COMMIT = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = 815 AND NOT granted"

pytestmark = pytest.mark.usefixtures("invariants")


async def _count(stack: Stack, service: str, query: str) -> int:
    return int((await Invariants(stack).rows(service, f"SELECT count(*) FROM {query}"))[0][0])


async def _webhook_events(stack: Stack, reference: str) -> int:
    return await _count(stack, "payments", f"webhook_events WHERE position('{reference}'::bytea IN body) > 0")


async def _events(stack: Stack, reference: str) -> int:
    """Count the different events about a payment that catalog has received."""
    return await _count(stack, "catalog", f"inbox WHERE position('{reference}'::bytea IN body) > 0")


async def _consumed(shop: StackClient) -> float:
    """Count the messages that catalog's consumer has acknowledged since it was started."""
    name, url = "consumed_total", shop.stack.url("catalog-worker")
    found = await metric(shop.client, url, name, queue="catalog.payments", result="taken")
    assert found is not None
    return found


async def _begin_purchase(shop: StackClient) -> Purchase:
    """Start a payment, and wait until payment.started is consumed: the failpoints are for the events after it."""
    before = await _consumed(shop)
    purchase = await shop.begin_purchase(await shop.product())

    async def consumed() -> bool | None:
        # Events of other tests may be counted meanwhile.
        received = await _events(shop.stack, purchase[2]["reference"])
        return True if received == 1 and await _consumed(shop) > before else None

    await until(consumed)
    await Invariants(shop.stack).wait_idle()
    return purchase


async def _attempts(shop: StackClient, reference: str) -> list[int | None]:
    """Wait until Paystack's webhook was answered 200, and return the answers to all attempts.

    The order may be delivered before that: the sweeper may have verified the payment.
    """
    url = f"{shop.env['SANDBOX_URL']}/sandbox/transactions/{reference}"

    async def acknowledged() -> list[int | None] | None:
        (webhook,) = (await shop.call("GET", url, expect=200)).json()["data"]["webhooks"]
        statuses = [attempt["status"] for attempt in webhook["attempts"]]
        return statuses if 200 in statuses else None

    return await until(acknowledged)


async def _start_while(killed: Coroutine[Any, Any, None], starting: Coroutine[Any, Any, Json]) -> Json:
    started = asyncio.create_task(starting)
    await killed
    return await started


@pytest.mark.parametrize(
    ("intake", "consumer"), [("intake.inserting", "inbox.received"), ("intake.committed", "inbox.committed")]
)
async def test_webhook_when_intake_and_consumer_are_killed_is_stored_and_delivered_once(
    shop: StackClient, stack: Stack, failpoints: Failpoints, intake: str, consumer: str
) -> None:
    buyer, order, payment = await _begin_purchase(shop)
    failpoints.arm("payments", intake)
    failpoints.arm("catalog-worker", consumer)
    await shop.pay(payment["reference"])
    await asyncio.gather(failpoints.wait_killed("payments"), failpoints.wait_killed("catalog-worker"))
    await shop.wait_delivered(buyer, order)
    first, *more = await _attempts(shop, payment["reference"])
    assert first is None
    assert more[-1] == 200
    assert await _webhook_events(stack, payment["reference"]) == 1
    assert await _events(stack, payment["reference"]) == 2
    await _wait_consumed_again(shop)


@pytest.mark.parametrize(
    ("processor", "consumer"),
    [
        ("webhook_events.locked", "inbox.received"),
        ("webhook_events.written", "inbox.stored"),
        ("webhook_events.committed", "inbox.written"),
    ],
)
async def test_webhook_event_when_processor_and_consumer_are_killed_is_delivered_once(
    shop: StackClient, stack: Stack, failpoints: Failpoints, processor: str, consumer: str
) -> None:
    buyer, order, payment = await _begin_purchase(shop)
    failpoints.arm("payments-worker", processor)
    failpoints.arm("catalog-worker", consumer)
    await shop.pay(payment["reference"])
    await asyncio.gather(failpoints.wait_killed("payments-worker"), failpoints.wait_killed("catalog-worker"))
    await shop.wait_delivered(buyer, order)
    assert await _attempts(shop, payment["reference"]) == [200]
    assert await _events(stack, payment["reference"]) == 2
    await _wait_consumed_again(shop)


async def _wait_consumed_again(shop: StackClient) -> None:
    """Wait until the messages that were not acknowledged when the consumer was killed are delivered to its successor."""

    async def again() -> bool | None:
        return True if await _consumed(shop) >= 1 else None

    await until(again)


@pytest.mark.parametrize(
    ("failpoint", "published"),
    [("relay.selected", 1), ("relay.published", 2), ("relay.confirmed", 2), ("relay.deleted", 1)],
)
async def test_event_when_relay_is_killed_takes_effect_once(
    shop: StackClient, stack: Stack, failpoints: Failpoints, failpoint: str, published: int
) -> None:
    buyer, order, payment = await _begin_purchase(shop)
    before = await _consumed(shop)
    failpoints.arm("payments-worker", failpoint)
    await shop.pay(payment["reference"])
    await failpoints.wait_killed("payments-worker")
    await shop.wait_delivered(buyer, order)
    await Invariants(stack).wait_idle()

    async def come() -> bool | None:
        return True if await _consumed(shop) - before >= published else None

    await until(come)  # the duplicate too
    assert await _consumed(shop) - before == published
    assert await _events(stack, payment["reference"]) == 2


async def test_webhook_when_intake_is_killed_during_commit_is_stored_by_the_next_attempt(
    shop: StackClient, stack: Stack, failpoints: Failpoints
) -> None:
    buyer, order, payment = await shop.begin_purchase(await shop.product())
    database = await asyncpg.connect(shop.env["PAYMENTS_MIGRATION_DATABASE_URL"], timeout=5, command_timeout=5)
    same_role = await asyncpg.connect(shop.env["PAYMENTS_DATABASE_URL"], timeout=5, command_timeout=5)
    try:
        await database.execute(HOLD_COMMITS)
        await database.execute("SELECT pg_advisory_lock(815)")
        await shop.pay(payment["reference"])

        async def waiting() -> int | None:
            found: int | None = await database.fetchval(IN_COMMIT)
            return found

        backend = await until(waiting)
        os.kill(stack.pid("payments"), signal.SIGKILL)
        # Otherwise Postgres would commit, which is the failpoint `intake.committed`.
        await same_role.execute("SELECT pg_terminate_backend($1)", backend)
        assert await _webhook_events(stack, payment["reference"]) == 0
        await database.execute("DROP FUNCTION wait_in_commit CASCADE")
    finally:
        await same_role.close(timeout=5)
        await database.close(timeout=5)
    await failpoints.restart("payments")
    await shop.wait_delivered(buyer, order)
    assert (await _attempts(shop, payment["reference"]))[0] != 200
    assert await _webhook_events(stack, payment["reference"]) == 1


async def test_webhook_when_payments_is_killed_after_the_200_is_not_lost(
    shop: StackClient, stack: Stack, failpoints: Failpoints
) -> None:
    buyer, order, payment = await shop.begin_purchase(await shop.product())
    assert (await shop.post_webhook(charge_success(payment["reference"]))).status_code == 200
    os.kill(stack.pid("payments"), signal.SIGKILL)
    await failpoints.restart("payments")
    await shop.wait_delivered(buyer, order)
    assert await _webhook_events(stack, payment["reference"]) == 1


@pytest.mark.parametrize("failpoint", ["checkout.sending", "checkout.sent"])
async def test_payment_start_when_payments_is_killed_succeeds_with_a_new_reference(
    shop: StackClient, stack: Stack, failpoints: Failpoints, failpoint: str
) -> None:
    """The idempotency key is free at once. Nobody has seen the checkout page of the old reference."""
    buyer = shop.bearer()
    order = await shop.order(buyer, await shop.product())
    failpoints.arm("payments", failpoint)
    payment = await _start_while(failpoints.wait_killed("payments"), shop.start_payment(buyer, order))
    payments = await Invariants(stack).rows(
        "payments", f"SELECT reference, authorization_url FROM payments WHERE order_id = '{order['id']}' ORDER BY id"
    )
    assert [(row["reference"] == payment["reference"], bool(row["authorization_url"])) for row in payments] == [
        (False, False),
        (True, True),
    ]
    (key,) = await Invariants(stack).rows(
        "payments", f"SELECT status FROM idempotency_keys WHERE body->>'order_id' = '{order['id']}'"
    )
    assert key["status"] == 201
    await shop.pay(payment["reference"])
    await shop.wait_delivered(buyer, order)


async def _end_lease(stack: Stack, reference: str) -> None:
    """End the lease of the killed worker."""
    await Invariants(stack).rows(
        "payments", f"UPDATE payments SET refunds_leased_until = now() WHERE reference = '{reference}'"
    )


@pytest.mark.parametrize(("failpoint", "sent"), [("refunds.sending", 0), ("refunds.sent", 1)])
async def test_refund_when_executor_is_killed_is_sent_once(
    shop: StackClient, stack: Stack, failpoints: Failpoints, failpoint: str, sent: int
) -> None:
    buyer, order, payment = await shop.buy(await shop.product())
    await shop.wait_delivered(buyer, order)
    reference = payment["reference"]
    failpoints.arm("payments-worker", failpoint)
    url = f"{shop.env['PAYMENTS_URL']}/payments/{reference}/refunds"
    headers = {**shop.admin, "Idempotency-Key": uuid4().hex}
    await shop.call("POST", url, json={"amount": 7_000}, headers=headers, expect=202)
    await failpoints.wait_killed("payments-worker")
    assert len(await shop.refunds_at_paystack(reference)) == sent
    await _end_lease(stack, reference)
    await shop.wait_refunded_amount(buyer, reference, 7_000)
    assert len(await shop.refunds_at_paystack(reference)) == 1


async def test_undeliverable_order_when_relay_and_consumer_are_killed_is_refunded_once(
    shop: StackClient, stack: Stack, failpoints: Failpoints
) -> None:
    """The relay of catalog and the consumer of payments are killed."""
    product = await shop.product(stock=1)
    late, late_order, late_payment = await shop.begin_purchase(product)
    await Invariants(stack).rows(
        "catalog",
        f"UPDATE orders SET expires_at = now(), created_at = now() - interval '1 day' WHERE id = '{late_order['id']}'",
    )
    await shop.wait_order_status(late, late_order, "expired")
    quick, quick_order, _ = await shop.buy(product)
    await shop.wait_delivered(quick, quick_order)
    failpoints.arm("catalog-worker", "relay.confirmed")
    failpoints.arm("payments-worker", "inbox.committed")
    await shop.pay(late_payment["reference"])
    await asyncio.gather(failpoints.wait_killed("catalog-worker"), failpoints.wait_killed("payments-worker"))
    await shop.wait_payment_status(late, late_payment["reference"], "refunded")
    assert len(await shop.refunds_at_paystack(late_payment["reference"])) == 1
    received = f"inbox WHERE position('{late_payment['reference']}'::bytea IN body) > 0"
    assert await _count(stack, "payments", received) == 1
