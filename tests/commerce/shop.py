"""The shop without its processes: what one of them does by itself is a step that the test takes, when and as often as it likes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import delete, select, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from contracts.events import EVENT, Event
from kit.messaging import inbox, processor
from kit.messaging.inbox import Entry, InboxEntry
from kit.messaging.notifier import Notifier
from kit.messaging.outbox import OutboxEvent
from kit.messaging.processor import BatchResult, Processor
from kit.worker.runner import Job
from kit.worker.shutdown import Shutdown
from services.catalog import db as catalog_db
from services.catalog import models as catalog
from services.catalog.app import app as catalog_app
from services.catalog.expiry import expire
from services.catalog.fulfilment import fulfil
from services.payments import clients
from services.payments import db as payments_db
from services.payments import models as payments
from services.payments.app import app as payments_app
from services.payments.catalog_client import CatalogClient
from services.payments.disputes.poller import DisputePoller
from services.payments.refunds import undeliverable_orders
from services.payments.refunds.executor import RefundExecutor
from services.payments.settlement.sweeper import Sweeper
from services.payments.webhooks import processing
from tests.commerce.death import Fuse
from tests.commerce.house import House
from tests.conftest import ADMIN, Signer
from tests.payments.conftest import emptied, send

Json = dict[str, Any]
Handler = Callable[[AsyncSession, Sequence[Any]], Awaitable[None]]

# What is put off is due: hours have passed, leases have run out.
HOURS_LATER = {
    catalog_db.sessions: [
        "UPDATE inbox SET next_attempt_at = now() WHERE status = 'pending'",
        "DELETE FROM idempotency_keys WHERE status IS NULL",
    ],
    payments_db.sessions: [
        "UPDATE inbox SET next_attempt_at = now() WHERE status = 'pending'",
        "UPDATE webhook_events SET next_attempt_at = now() WHERE status = 'pending'",
        "DELETE FROM idempotency_keys WHERE status IS NULL",
        "UPDATE payments SET refunds_leased_until = NULL WHERE refunds_leased_until IS NOT NULL",
        "UPDATE payments SET refunds_next_attempt_at = now() WHERE refunds_next_attempt_at IS NOT NULL",
        "UPDATE payments SET verify_next_attempt_at = now() WHERE status IN ('pending', 'failed')",
        "UPDATE payments SET updated_at = now() - interval '1 hour'",
        "UPDATE disputes SET next_attempt_at = now() WHERE next_attempt_at IS NOT NULL",
    ],
}


class Moment(Shutdown):
    """As long as there is something to do."""

    async def wait(self, seconds: float, bell: asyncio.Event | None = None) -> None:
        self.request()


class Desk:
    """One service's side of the broker: what leaves its outbox lies on the other's `queue` until it is taken, be it twice."""

    def __init__(
        self,
        sessions: async_sessionmaker[AsyncSession],
        door: type[InboxEntry],
        outbox: type[OutboxEvent],
        handler: Handler,
        notifier: Notifier,
    ) -> None:
        self.notifier = notifier
        self.sessions = sessions
        self.door = door
        self.outbox = outbox
        self.handler = handler
        self.queue: list[bytes] = []

    async def handle(self, session: AsyncSession, entries: Sequence[Entry]) -> BatchResult:
        await self.handler(session, [EVENT.validate_json(entry.body) for entry in entries])
        return BatchResult()

    async def take(self, which: Sequence[int], *, acked: bool) -> None:
        """These messages, in this order, in one transaction; then they are acknowledged, or not."""
        taken = [self.queue[index] for index in which]
        events: list[Event] = [EVENT.validate_json(body) for body in taken]
        rows = [{"key": str(e.id), "body": b, "headers": {}} for e, b in zip(events, taken, strict=True)]
        async with self.sessions.begin() as session:
            claimed = await inbox.store_processed(session, self.door, rows)
            await processor.process(session, self.door, claimed, self.handle)
        if acked:
            self.queue = [body for index, body in enumerate(self.queue) if index not in which]

    async def retry(self) -> None:
        await Processor(self.sessions, self.door, self.handle, self.notifier, topic="inbox").run(Moment())

    async def relay(self, to: "Desk", *, confirmed: bool = True) -> None:
        """A window of what waits is published, and deleted where the confirm came."""
        async with self.sessions() as session:
            rows = (await session.execute(select(self.outbox.id, self.outbox.body).order_by(self.outbox.id))).all()
        to.queue += [row.body for row in rows]
        if confirmed and rows:
            async with self.sessions.begin() as session:
                await session.execute(delete(self.outbox).where(self.outbox.id.in_([row.id for row in rows])))


class Shop:
    def __init__(self, signer: Signer, monkeypatch: pytest.MonkeyPatch, http: httpx.AsyncClient) -> None:
        self.monkeypatch = monkeypatch
        self.http = http
        self.buyer = signer.headers("buyer-1")
        self.operator = signer.headers("operator-1", scopes=ADMIN)
        self.fuse = Fuse()
        self.house = House()
        self.catalog = Desk(
            catalog_db.sessions, catalog.InboxRow, catalog.OutboxRow, fulfil, Notifier(catalog_db.engine, "catalog")
        )
        self.payments = Desk(
            payments_db.sessions,
            payments.Inbox,
            payments.OutboxRow,
            undeliverable_orders.handle,
            Notifier(payments_db.engine, "payments"),
        )

    @classmethod
    @asynccontextmanager
    async def opened(cls, signer: Signer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator["Shop"]:
        apps = {"http://catalog.test": catalog_app, "http://payments.test": payments_app}
        mounts = {url: httpx.ASGITransport(app=app) for url, app in apps.items()}
        async with (
            httpx.AsyncClient(mounts=mounts) as http,
            httpx.AsyncClient(mounts=mounts, base_url="http://catalog.test") as orders,
        ):
            shop = cls(signer, monkeypatch, http)
            monkeypatch.setattr(clients, "orders", CatalogClient(orders))
            shop.fuse.watch(catalog_db.engine, payments_db.engine)
            try:
                await shop.anew()
                yield shop
            finally:
                shop.fuse.unwatch(catalog_db.engine, payments_db.engine)
                await clients.paystack().close()

    async def anew(self) -> None:
        """Nothing was ever sold."""
        self.house = House(self.fuse.touch)
        self.catalog.queue, self.payments.queue = [], []
        await self.reconnected()
        await emptied()
        async with catalog_db.sessions.begin() as session:
            for table in reversed(catalog.Base.metadata.sorted_tables):
                await session.execute(delete(table))

    async def reconnected(self) -> None:
        """To Paystack, with nothing held against it."""
        self.monkeypatch.setattr(clients, "_paystack", self.house.client())

    async def asked(
        self, method: str, path: str, body: Json | None = None, *, by: Json | None = None
    ) -> httpx.Response:
        """What a client does: where no answer comes, the same request with the same key again."""
        service = path.split("/")[1]
        headers = {**(by or self.buyer), "Idempotency-Key": uuid4().hex}

        async def once() -> httpx.Response:
            return await self.http.request(method, f"http://{service}.test{path}", json=body, headers=headers)

        answer = await self.fuse.through(once)
        if answer is None:
            await self.hours_pass()
            answer = await once()
        assert answer.status_code < 500 or answer.status_code == 503, answer.text
        return answer

    async def product(self, stock: int, price: int) -> str:
        body = {"name": "Cup", "price": price, "currency": "NGN", "stock": stock}
        return str((await self.asked("POST", "/catalog/products", body, by=self.operator)).json()["id"])

    async def order(self, product: str, quantity: int = 1) -> httpx.Response:
        return await self.asked("POST", "/catalog/orders", {"items": [{"product_id": product, "quantity": quantity}]})

    async def refund(self, reference: str, **body: Any) -> httpx.Response:
        body = {"reason": "asked for", **body}
        return await self.asked("POST", f"/payments/{reference}/refunds", body, by=self.operator)

    async def deliver(self, notice: Json) -> None:
        """Paystack's webhook."""
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=payments_app), base_url="http://payments.test"
        ) as paystack:
            assert (await send(paystack, notice)).status_code == 200

    async def work(self, what: str) -> None:
        """What a worker does, until nothing is due."""
        bell = asyncio.Event()
        loops: dict[str, Job] = {
            "settle": Processor(
                payments_db.sessions,
                payments.WebhookEvent,
                processing.handle,
                self.payments.notifier,
                topic="webhook_events",
            ).run,
            "sweep": Sweeper(payments_db.sessions).run,
            "refund": RefundExecutor(payments_db.sessions, bell).run,
            "watch": DisputePoller(payments_db.sessions, bell).run,
            "expire": self._expire,
        }
        await loops[what](Moment())

    async def _expire(self, _: Shutdown) -> None:
        async with catalog_db.sessions.begin() as session:
            await expire(session)

    async def hours_pass(self) -> None:
        for sessions, statements in HOURS_LATER.items():
            async with sessions.begin() as session:
                for statement in statements:
                    await session.execute(text(statement))

    async def lapse(self, order: str) -> None:
        """The reservation of this order is over."""
        async with catalog_db.sessions.begin() as session:
            over = "UPDATE orders SET expires_at = now() - interval '1 s' WHERE id = :id"
            await session.execute(text(over), {"id": order})

    async def rows(self, desk: Desk, query: str, **values: Any) -> list[Any]:
        async with desk.sessions() as session:
            return list((await session.execute(text(query), values)).all())

    async def round(self) -> None:
        """Hours pass, and everything that waits has its turn."""
        await self.hours_pass()
        await self.receive()
        await self.turn()

    async def receive(self) -> None:
        """All notices that are on their way."""
        while self.house.mail:
            await self.deliver(self.house.mail.pop(0))

    async def turn(self) -> None:
        """Everything that is due, once."""
        for what in ("settle", "sweep", "watch", "refund", "expire"):
            await self.work(what)
        for desk, other in ((self.payments, self.catalog), (self.catalog, self.payments)):
            await desk.relay(other)
            await other.take(range(len(other.queue)), acked=True)
            await other.retry()

    async def waiting(self) -> list[str]:
        """What is not at rest."""
        found = [f"mail {n['event']}" for n in self.house.mail]
        for desk, queries in (
            (
                self.catalog,
                ("SELECT 'event', id FROM outbox", "SELECT status, id FROM inbox WHERE status <> 'processed'"),
            ),
            (
                self.payments,
                (
                    "SELECT 'event', id FROM outbox",
                    "SELECT status, error FROM inbox WHERE status <> 'processed'",
                    "SELECT status, error FROM webhook_events WHERE status <> 'processed'",
                    "SELECT status, id FROM refunds WHERE status IN ('requested', 'pending', 'processing')",
                    "SELECT 'dispute', id FROM disputes WHERE lost AND next_attempt_at IS NOT NULL",
                    "SELECT 'held', reference FROM payments WHERE status = 'held'",
                ),
            ),
        ):
            for query in queries:
                found += [str(tuple(row)) for row in await self.rows(desk, query)]
        return [*found, *map(str, self.catalog.queue), *map(str, self.payments.queue)]
