"""A process dies at each named step of a purchase, a refund and a return of money; then everything is there once.

The steps are those of tests/failpoints; that one was reached is part of every test: its process died of it.
"""

import asyncio
import hashlib
import os
import signal
from collections.abc import AsyncIterator, Coroutine
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from dev.stack.stack import Stack
from tests.system.failpoints import Failpoints, metric
from tests.system.invariants import Invariants
from tests.system.shop import Json, Shop, until

PARTS = ("payments", "payments-worker", "catalog-worker")

# The deferred trigger runs within COMMIT, when the row is written already: there the statement waits for our lock.
HOLD_COMMITS = """
CREATE FUNCTION wait_in_commit() RETURNS trigger LANGUAGE plpgsql
    AS 'BEGIN PERFORM pg_advisory_xact_lock(815); RETURN NULL; END';
CREATE CONSTRAINT TRIGGER wait_in_commit AFTER INSERT ON notices DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION wait_in_commit();
"""
IN_COMMIT = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = 815 AND NOT granted"

pytestmark = pytest.mark.usefixtures("invariants")


@pytest.fixture(scope="module")
async def equipped(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Failpoints]:
    points = Failpoints(stack, tmp_path_factory.mktemp("failpoints"))
    await points.equip(*PARTS)
    yield points

    async def as_before(part: str) -> None:
        await stack.stop(part)
        await stack.start(part)

    await asyncio.gather(*(as_before(part) for part in PARTS))


@pytest.fixture
def failpoints(equipped: Failpoints) -> Any:
    yield equipped
    equipped.disarm()


async def _count(stack: Stack, service: str, query: str) -> int:
    return int((await Invariants(stack).rows(service, f"SELECT count(*) FROM {query}"))[0][0])


async def _notices(stack: Stack, reference: str) -> int:
    return await _count(stack, "payments", f"notices WHERE position('{reference}'::bytea IN body) > 0")


async def _events(stack: Stack, reference: str) -> int:
    """How many different events catalog has heard about a payment."""
    return await _count(stack, "catalog", f"inbox WHERE position('{reference}'::bytea IN body) > 0")


async def _taken(shop: Shop) -> float:
    """Messages that catalog's consumer has acknowledged in this shutdown."""
    name, url = "consumed_total", shop.stack.url("catalog-worker")
    found = await metric(shop.client, url, name, queue="catalog.payments", result="taken")
    assert found is not None
    return found


async def _tries(shop: Shop, reference: str) -> list[int | None]:
    """What Paystack's webhook was answered, try by try, once it was answered 200: the sweep may have been faster than the last try."""
    url = f"{shop.env['SANDBOX_URL']}/sandbox/transactions/{reference}"

    async def acknowledged() -> list[int | None] | None:
        (webhook,) = (await shop.call("GET", url, expect=200)).json()["data"]["webhooks"]
        tries = [attempt["status"] for attempt in webhook["attempts"]]
        return tries if 200 in tries else None

    return await until(acknowledged)


async def _started_while(dying: Coroutine[Any, Any, None], starting: Coroutine[Any, Any, Json]) -> Json:
    started = asyncio.create_task(starting)
    await dying
    return await started


@pytest.mark.parametrize(
    ("intake", "consumer"), [("intake.inserting", "inbox.arrived"), ("intake.committed", "inbox.committed")]
)
async def test_the_intake_dies_and_so_does_the_consumer(
    shop: Shop, stack: Stack, failpoints: Failpoints, intake: str, consumer: str
) -> None:
    buyer, order, payment = await shop.begun(await shop.product())
    failpoints.arm("payments", intake)
    failpoints.arm("catalog-worker", consumer)
    await shop.pay(payment["reference"])
    await asyncio.gather(failpoints.fired("payments"), failpoints.fired("catalog-worker"))
    await shop.delivered(buyer, order)
    first, *more = await _tries(shop, payment["reference"])
    assert first is None
    assert more[-1] == 200
    assert await _notices(stack, payment["reference"]) == 1
    assert await _events(stack, payment["reference"]) == 1
    await _taken_again(shop)


@pytest.mark.parametrize(
    ("settler", "consumer"),
    [
        ("notices.locked", "inbox.arrived"),
        ("notices.written", "inbox.claimed"),
        ("notices.committed", "inbox.written"),
    ],
)
async def test_the_settler_dies_and_so_does_the_consumer(
    shop: Shop, stack: Stack, failpoints: Failpoints, settler: str, consumer: str
) -> None:
    buyer, order, payment = await shop.begun(await shop.product())
    failpoints.arm("payments-worker", settler)
    failpoints.arm("catalog-worker", consumer)
    await shop.pay(payment["reference"])
    await asyncio.gather(failpoints.fired("payments-worker"), failpoints.fired("catalog-worker"))
    await shop.delivered(buyer, order)
    assert await _tries(shop, payment["reference"]) == [200]
    assert await _events(stack, payment["reference"]) == 1
    await _taken_again(shop)


async def _taken_again(shop: Shop) -> None:
    """What the consumer had in hand when it died came again, to its next shutdown."""

    async def again() -> bool | None:
        return True if await _taken(shop) >= 1 else None

    await until(again)


@pytest.mark.parametrize(
    ("step", "published"),
    [("outbox.selected", 1), ("outbox.published", 2), ("outbox.confirmed", 2), ("outbox.deleted", 1)],
)
async def test_the_relay_dies(shop: Shop, stack: Stack, failpoints: Failpoints, step: str, published: int) -> None:
    buyer, order, payment = await shop.begun(await shop.product())
    before = await _taken(shop)
    failpoints.arm("payments-worker", step)
    await shop.pay(payment["reference"])
    await failpoints.fired("payments-worker")
    await shop.delivered(buyer, order)
    await Invariants(stack).wait_idle()

    async def come() -> bool | None:
        return True if await _taken(shop) - before >= published else None

    await until(come)  # the duplicate too
    assert await _taken(shop) - before == published
    assert await _events(stack, payment["reference"]) == 1


async def test_the_intake_dies_within_the_commit(shop: Shop, stack: Stack, failpoints: Failpoints) -> None:
    buyer, order, payment = await shop.begun(await shop.product())
    database = await asyncpg.connect(shop.env["PAYMENTS_DATABASE_URL"], timeout=5, command_timeout=5)
    try:
        await database.execute(HOLD_COMMITS)
        await database.execute("SELECT pg_advisory_lock(815)")
        await shop.pay(payment["reference"])

        async def waiting() -> int | None:
            found: int | None = await database.fetchval(IN_COMMIT)
            return found

        backend = await until(waiting)
        os.kill(stack.pid("payments"), signal.SIGKILL)
        # Or the server would commit for a client that is gone, which is `intake.committed`.
        await database.execute("SELECT pg_terminate_backend($1)", backend)
        assert await _notices(stack, payment["reference"]) == 0
        await database.execute("DROP FUNCTION wait_in_commit CASCADE")
    finally:
        await database.close(timeout=5)
    await failpoints.equip("payments")
    await shop.delivered(buyer, order)
    assert (await _tries(shop, payment["reference"]))[0] != 200
    assert await _notices(stack, payment["reference"]) == 1


async def test_the_intake_dies_after_its_200(shop: Shop, stack: Stack, failpoints: Failpoints) -> None:
    """Nobody sends it again."""
    buyer, order, payment = await shop.begun(await shop.product())
    data = {
        "id": int.from_bytes(hashlib.sha256(payment["reference"].encode()).digest()[:5]),
        "reference": payment["reference"],
        "status": "success",
        "amount": 50_000,
        "currency": "NGN",
        "domain": "test",
    }
    assert (await shop.webhook({"event": "charge.success", "data": data})).status_code == 200
    os.kill(stack.pid("payments"), signal.SIGKILL)
    await failpoints.equip("payments")
    await shop.delivered(buyer, order)
    assert await _notices(stack, payment["reference"]) == 1


@pytest.mark.parametrize("step", ["checkout.sending", "checkout.sent"])
async def test_the_start_of_a_payment_dies(shop: Shop, stack: Stack, failpoints: Failpoints, step: str) -> None:
    """Asked again with its key it is free at once, and goes on under a new reference: the old one's page nobody was told."""
    buyer = shop.bearer()
    order = await shop.order(buyer, await shop.product())
    failpoints.arm("payments", step)
    payment = await _started_while(failpoints.fired("payments"), shop.start(buyer, order))
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
    await shop.delivered(buyer, order)


async def _at_paystack(shop: Shop, reference: str) -> list[Json]:
    sandbox, key = shop.env["SANDBOX_URL"], {"Authorization": f"Bearer {shop.env['PAYSTACK_SECRET_KEY']}"}
    told = await shop.call("GET", f"{sandbox}/transaction/verify/{reference}", headers=key, expect=200)
    query = {"transaction": told.json()["data"]["id"]}
    return list((await shop.call("GET", f"{sandbox}/refund", params=query, headers=key, expect=200)).json()["data"])


async def _lease_is_over(stack: Stack, reference: str) -> None:
    """A minute later: what the dead had in hand is free."""
    await Invariants(stack).rows(
        "payments", f"UPDATE payments SET refunds_leased_until = now() WHERE reference = '{reference}'"
    )


@pytest.mark.parametrize(("step", "sent"), [("refund.sending", 0), ("refund.sent", 1)])
async def test_the_refunder_dies(shop: Shop, stack: Stack, failpoints: Failpoints, step: str, sent: int) -> None:
    buyer, order, payment = await shop.bought(await shop.product())
    await shop.delivered(buyer, order)
    reference = payment["reference"]
    failpoints.arm("payments-worker", step)
    url = f"{shop.env['PAYMENTS_URL']}/payments/{reference}/refunds"
    headers = {**shop.admin, "Idempotency-Key": uuid4().hex}
    await shop.call("POST", url, json={"amount": 7_000}, headers=headers, expect=202)
    await failpoints.fired("payments-worker")
    assert len(await _at_paystack(shop, reference)) == sent
    await _lease_is_over(stack, reference)

    async def processed() -> bool | None:
        return True if (await shop.payment(buyer, reference))["refunded_amount"] == 7_000 else None

    await until(processed)
    assert len(await _at_paystack(shop, reference)) == 1


async def test_what_cannot_be_delivered_is_told_by_the_dying_to_the_dying(
    shop: Shop, stack: Stack, failpoints: Failpoints
) -> None:
    """catalog's relay dies, payments' consumer dies: the money goes back once."""
    product = await shop.product(stock=1)
    late, late_order, late_payment = await shop.begun(product)
    await Invariants(stack).rows("catalog", f"UPDATE orders SET expires_at = now() WHERE id = '{late_order['id']}'")
    await shop.reaches(late, late_order, "expired")
    quick, quick_order, _ = await shop.bought(product)
    await shop.delivered(quick, quick_order)
    failpoints.arm("catalog-worker", "outbox.confirmed")
    failpoints.arm("payments-worker", "inbox.committed")
    await shop.pay(late_payment["reference"])
    await asyncio.gather(failpoints.fired("catalog-worker"), failpoints.fired("payments-worker"))
    await shop.payment_reaches(late, late_payment["reference"], "refunded")
    assert len(await _at_paystack(shop, late_payment["reference"])) == 1
    asked = f"inbox WHERE position('{late_payment['reference']}'::bytea IN body) > 0"
    assert await _count(stack, "payments", asked) == 1
