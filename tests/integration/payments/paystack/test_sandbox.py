"""payments with the sandbox as Paystack: every form of a charge is settled, and every status is understood."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from kit.http.client import HttpClient
from services.payments.catalog_client import CatalogClient
from services.payments.clients import Clients
from services.payments.db import sessions
from services.payments.refunds.models import Refund
from tests.factories.payments import create_paid_payment, create_payment, create_refund
from tests.fakes.webhook_receiver import WebhookReceiver
from tests.fixtures.charge_webhooks import CHARGE_WEBHOOKS
from tests.fixtures.merchant import KEY, Merchant
from tests.fixtures.payments import paystack_client
from tests.fixtures.payments_jobs import Jobs
from tests.fixtures.payments_requests import deliver
from tests.fixtures.payments_rows import all_refunds, find_payment, outbox_types
from tests.fixtures.sandbox import sandbox_process


@pytest.fixture(scope="module")
async def receiver() -> AsyncIterator[WebhookReceiver]:
    async with WebhookReceiver() as listening:
        yield listening


@pytest.fixture(scope="module")
async def sandbox(tmp_path_factory: pytest.TempPathFactory, receiver: WebhookReceiver) -> AsyncIterator[Merchant]:
    database = tmp_path_factory.mktemp("sandbox") / "sandbox.db"
    async with sandbox_process(database, SANDBOX_WEBHOOK_URL=receiver.url) as process:
        yield process.merchant


@pytest.fixture
async def clients(sandbox: Merchant) -> AsyncIterator[Clients]:
    """Clients that talk to the sandbox instead of the fake Paystack."""
    async with (
        paystack_client(url=str(sandbox.http.base_url), key=KEY) as client,
        HttpClient(base_url="http://catalog.test") as http,
    ):
        yield Clients(catalog=CatalogClient(http), configured_paystack=client)


@pytest.mark.parametrize("name", CHARGE_WEBHOOKS)
async def test_charge_of_any_form_is_settled(
    client: httpx.AsyncClient, customer: dict[str, str], sandbox: Merchant, receiver: WebhookReceiver, name: str
) -> None:
    form: dict[str, Any] = {"currency": "NGN"} | CHARGE_WEBHOOKS[name]
    currency = form.pop("currency")
    reference = (await sandbox.start(currency=currency))["reference"]
    await create_payment(reference, amount=250_000, currency=currency)
    before = len(receiver.received)
    assert (await sandbox.pay(reference, **form)).status_code == 200
    await deliver(client, (await receiver.wait(before + 1))[-1].body)
    if name == "multi-split":  # it names no currency: payments verifies, as the sweeper would
        assert (await find_payment(reference)).status == "pending"
        await client.post(f"/payments/{reference}/verify", headers=customer)
    paid = await find_payment(reference)
    shown = await sandbox.verify(reference)
    assert (paid.status, paid.paid_amount, paid.paystack_id) == ("succeeded", 250_000, shown["id"])
    assert await outbox_types() == ["payment.succeeded"]


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        ("success", "succeeded"),
        ("failed", "failed"),
        *((each, "pending") for each in ("abandoned", "ongoing", "pending", "processing", "queued")),
    ],
)
async def test_verify_when_the_sandbox_shows_a_status_changes_the_payment_accordingly(
    client: httpx.AsyncClient, customer: dict[str, str], sandbox: Merchant, outcome: str, status: str
) -> None:
    reference = (await sandbox.start())["reference"]
    await create_payment(reference, amount=250_000)
    await sandbox.pay(reference, outcome=outcome, deliveries=0)
    answer = await client.post(f"/payments/{reference}/verify", headers=customer)
    assert (answer.status_code, answer.json()["status"]) == (200, status)
    shown = (await client.get(f"/payments/{reference}", headers=customer)).json()
    assert (shown["status"], shown["paystack_status"]) == (status, outcome)


async def test_refund_when_the_sandbox_has_too_little_balance_is_sent_again_later(
    client: httpx.AsyncClient, sandbox: Merchant, jobs: Jobs
) -> None:
    paid = await sandbox.paid()
    one = await create_paid_payment(reference=paid["reference"], paystack_id=paid["id"], paid_amount=250_000)
    await create_refund(one)
    await sandbox.http.put("/sandbox/faults", json={"insufficient_balance": True})
    try:
        await jobs.sync_refunds()
    finally:
        await sandbox.http.delete("/sandbox/faults")
    (refund,) = await all_refunds()
    assert (refund.status, refund.attempts) == ("requested", 1)
    assert "Simulated by the sandbox: your balance is too low" in (refund.error or "")
    async with sessions.begin() as session:
        await session.execute(update(Refund).values(next_attempt_at=None))
    await jobs.sync_refunds()
    (refund,) = await all_refunds()
    assert (refund.status, refund.error) in {("pending", None), ("processing", None), ("processed", None)}
