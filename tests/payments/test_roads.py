"""One payment, told by every road at once, and again when nobody remembers that it was told: one transition, one event, one movement."""

import asyncio
from collections import Counter
from datetime import datetime, timedelta

import httpx
from sqlalchemy import delete, func, select, update

from kit.messaging import inbox
from kit.messaging.inbox import RETENTION
from services.payments.db import sessions
from services.payments.ledger.models import LedgerTransaction
from services.payments.models import OutboxRow, Payment
from services.payments.republish import republish
from services.payments.webhooks.models import WebhookEvent
from tests.conftest import Signer
from tests.payments.conftest import charge, found, outbox, payment, send, settle_all, stored
from tests.payments.weather import Weather, ok

TRIALS = 100


async def movements() -> Counter[tuple[int | None, str]]:
    async with sessions() as session:
        rows = await session.execute(select(LedgerTransaction.payment_id, LedgerTransaction.kind))
        return Counter((row.payment_id, row.kind) for row in rows)


async def test_webhook_verify_and_return_at_once(client: httpx.AsyncClient, signer: Signer, paystack: Weather) -> None:
    paystack.then(lambda request: ok(charge(request.url.path.rpartition("/")[2])["data"]))
    headers = signer.headers("payer-1")
    payments = [await payment() for _ in range(TRIALS)]
    for one in payments:

        async def told(reference: str = one.reference) -> None:
            assert (await send(client, charge(reference))).status_code == 200
            await settle_all()

        await asyncio.gather(
            told(),
            client.post(f"/payments/{one.reference}/verify", headers=headers),
            client.get("/payments/callback", params={"reference": one.reference}),
            told(),
        )
    await settle_all()
    assert {notice.status for notice in await stored()} == {"processed"}
    assert {(await found(one.reference)).status for one in payments} == {"succeeded"}
    events = Counter((event.type, event.data.reference) for event in await outbox())  # type: ignore[attr-defined]
    assert events == Counter(("payment.succeeded", one.reference) for one in payments)
    moved = await movements()
    assert set(moved.values()) == {1}
    assert sum(kind == "received" for _, kind in moved) == TRIALS


async def test_told_again_after_the_notice_was_forgotten(client: httpx.AsyncClient) -> None:
    """Paystack repeats for 72 hours, and its dashboard sends again whenever somebody asks it to."""
    one = await payment()
    assert (await send(client, charge(one.reference))).status_code == 200
    await settle_all()
    before = await movements()
    async with sessions.begin() as session:
        await session.execute(update(WebhookEvent).values(received_at=func.now() - RETENTION - timedelta(days=1)))
        assert await inbox.prune(session, WebhookEvent) == 1
    assert await stored() == []
    assert (await send(client, charge(one.reference))).status_code == 200
    await settle_all()
    (notice,) = await stored()
    assert (notice.status, notice.outcome) == ("processed", "unchanged: succeeded")
    assert [event.type for event in await outbox()] == ["payment.succeeded"]
    assert await movements() == before


async def test_told_72_hours_late(client: httpx.AsyncClient) -> None:
    """The sweep has long given it up: money that comes all the same still settles."""
    one = await payment(status="abandoned")
    async with sessions.begin() as session:
        await session.execute(update(Payment).values(created_at=func.now() - timedelta(hours=73)))
    assert (await send(client, charge(one.reference))).status_code == 200
    await settle_all()
    assert (await found(one.reference)).status == "succeeded"
    assert [event.type for event in await outbox()] == ["payment.succeeded"]


async def test_told_again_to_a_shop_that_was_restored(client: httpx.AsyncClient) -> None:
    paid, later = await payment(), await payment()
    await send(client, charge(paid.reference))
    await settle_all()
    began = await now()
    await send(client, charge(later.reference))
    await settle_all()
    await payment()
    async with sessions.begin() as session:
        await session.execute(delete(OutboxRow))  # the broker has them
    assert [count async for count in republish(began, await now())] == [1]
    (event,) = await outbox()
    assert (event.type, event.subject) == ("payment.succeeded", str(later.order_id))


async def now() -> datetime:
    """By Postgres's clock."""
    async with sessions() as session:
        moment: datetime = (await session.execute(select(func.clock_timestamp()))).scalar_one()
    return moment
