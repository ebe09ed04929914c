"""payments under test: its app in this process, on a real Postgres, with catalog and Paystack played by small transports."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import delete, select, text

from contracts.events import EVENT, Event
from kit.auth import TokenVerifier
from kit.messaging import inbox, processor
from kit.messaging.notifier import Notifier
from services.payments.app import app
from services.payments.catalog_client import CatalogClient
from services.payments.clients import Clients
from services.payments.db import sessions
from services.payments.models import Base, OutboxRow, Payment
from services.payments.webhooks import processing
from services.payments.webhooks.models import WebhookEvent
from tests.conftest import ADMIN, ISSUER, PAYSTACK_SECRET_KEY, Signer
from tests.fixtures.apps import RunningApp, running
from tests.payments.bank import Bank, Json
from tests.payments.weather import Weather

WEBHOOK = "/payments/webhooks/paystack"
FIXTURES = Path(__file__).with_name("fixtures")


current: list[RunningApp] = []


def running_app() -> RunningApp:
    return current[0]


def clients() -> Clients:
    found = running_app().state["clients"]
    assert isinstance(found, Clients)
    return found


def notifier() -> Notifier:
    found = running_app().state["notifier"]
    assert isinstance(found, Notifier)
    return found


@contextmanager
def replaced(**changes: Any) -> Iterator[None]:
    """Other clients for a while."""
    before = clients()
    running_app().state["clients"] = replace(before, **changes)
    yield
    running_app().state["clients"] = before


@pytest.fixture(scope="session", autouse=True)
async def prepared(postgres: object, signer: Signer) -> AsyncIterator[None]:
    verifier = TokenVerifier(signer.jwks, issuer=ISSUER, audience="shop")
    async with running(app, verifier=verifier) as found:
        current.append(found)
        yield
        current.clear()


@pytest.fixture(autouse=True)
async def empty(prepared: None) -> None:
    await emptied()


async def emptied() -> None:
    async with sessions.begin() as session:
        # The ledger forgets nothing; its owner may make it.
        for books in ("ledger_entries", "ledger_transactions"):
            await session.execute(text(f"ALTER TABLE {books} DISABLE TRIGGER append_only"))
        for table in reversed(Base.metadata.sorted_tables):
            await session.execute(delete(table))
        for books in ("ledger_entries", "ledger_transactions"):
            await session.execute(text(f"ALTER TABLE {books} ENABLE TRIGGER append_only"))


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with running_app().client("http://payments.test") as found:
        yield found


@pytest.fixture
async def bank() -> AsyncIterator[Bank]:
    """Paystack for disputes and saved cards."""
    played = Bank()
    paystack = played.client()
    with replaced(configured_paystack=paystack):
        yield played
    await paystack.close()


@pytest.fixture
def mine(signer: Signer) -> dict[str, str]:
    return signer.headers("payer-1")


@pytest.fixture
async def orders() -> AsyncIterator[dict[str, Json]]:
    """What catalog knows, by id."""
    known: dict[str, Json] = {}

    def answer(request: httpx.Request) -> httpx.Response:
        order = known.get(request.url.path.rsplit("/", 1)[1])
        return httpx.Response(200, json=order) if order else httpx.Response(404, json={})

    client = httpx.AsyncClient(base_url="http://catalog.test", transport=httpx.MockTransport(answer))
    with replaced(catalog=CatalogClient(client)):
        yield known
    await client.aclose()


@pytest.fixture
def operator(signer: Signer) -> dict[str, str]:
    return signer.headers("operator-1", scopes=ADMIN)


@pytest.fixture
async def paystack() -> AsyncIterator[Weather]:
    """Paystack as the service meets it."""
    weather = Weather()
    client = weather.client()
    with replaced(configured_paystack=client):
        yield weather
    await client.close()


def sign(body: bytes, key: str = PAYSTACK_SECRET_KEY) -> str:
    return hmac.new(key.encode(), body, hashlib.sha512).hexdigest()


async def send(client: httpx.AsyncClient, body: bytes | dict[str, Any], signature: str | None = None) -> httpx.Response:
    raw = body if isinstance(body, bytes) else json.dumps(body, separators=(",", ":")).encode()
    return await client.post(
        WEBHOOK, content=raw, headers={"x-paystack-signature": sign(raw) if signature is None else signature}
    )


def charge(reference: str, amount: int = 50_000, **changes: Any) -> dict[str, Any]:
    """A charge.success notice, with the fields that matter here."""
    data = {
        "id": int.from_bytes(hashlib.sha256(reference.encode()).digest()[:5]),
        "domain": "test",
        "status": "success",
        "reference": reference,
        "amount": amount,
        "gateway_response": "Successful",
        "paid_at": "2026-11-23T09:15:02.000Z",
        "channel": "card",
        "currency": "NGN",
        "metadata": "",
        "fees": 750,
        "requested_amount": amount,
        **changes,
    }
    return {"event": "charge.success", "data": data}


async def payment(reference: str = "", *, order_id: UUID | None = None, amount: int = 50_000, **values: Any) -> Payment:
    """A pending payment as a start leaves it."""
    made = Payment(
        **{
            "reference": reference or f"pay-{uuid4().hex}",
            "order_id": order_id or uuid4(),
            "payer_id": "payer-1",
            "email": "payer@example.com",
            "amount": amount,
            "currency": "NGN",
            "verify_next_attempt_at": datetime(2099, 1, 1, tzinfo=UTC),
            **values,
        }
    )
    return await _stored(made)


async def _stored(made: Payment) -> Payment:
    async with sessions.begin() as session:
        session.add(made)
    return made


async def settle_all() -> None:
    """What the worker's settler does, once."""
    async with sessions.begin() as session:
        entries = await inbox.lock_due(session, WebhookEvent)
        await processor.process(session, WebhookEvent, entries, processing.handle)


async def stored() -> list[WebhookEvent]:
    """Every notice there is, in the order of arrival."""
    async with sessions() as session:
        return list((await session.execute(select(WebhookEvent).order_by(WebhookEvent.id))).scalars())


async def found(reference: str) -> Payment:
    async with sessions() as session:
        return (await session.execute(select(Payment).where(Payment.reference == reference))).scalar_one()


async def outbox() -> list[Event]:
    """The events that wait to leave, in order."""
    async with sessions() as session:
        rows = await session.execute(select(OutboxRow.body).order_by(OutboxRow.id))
        return [EVENT.validate_json(body) for body in rows.scalars()]


async def outbox_types() -> list[str]:
    return [event.type for event in await outbox()]
