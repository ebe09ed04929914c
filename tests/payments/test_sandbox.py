"""payments before the sandbox, face to face: each way in which a charge is told is settled, and each state of a payment understood."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from services.payments.paystack.client import Paystack
from tests.conftest import Signer
from tests.fakes.webhook_receiver import WebhookReceiver
from tests.fixtures.charge_webhooks import CHARGE_WEBHOOKS
from tests.fixtures.merchant import KEY, Merchant
from tests.fixtures.sandbox import sandbox_process
from tests.payments.conftest import clients, found, outbox_types, payment, running_app, send, settle_all


@pytest.fixture(scope="module")
async def receiver() -> AsyncIterator[WebhookReceiver]:
    async with WebhookReceiver() as listening:
        yield listening


@pytest.fixture(scope="module")
async def sandbox(tmp_path_factory: pytest.TempPathFactory, receiver: WebhookReceiver) -> AsyncIterator[Merchant]:
    database = tmp_path_factory.mktemp("sandbox") / "sandbox.db"
    async with sandbox_process(database, SANDBOX_WEBHOOK_URL=receiver.url) as process:
        yield process.merchant


@pytest.fixture(autouse=True)
async def paystack(sandbox: Merchant, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    client = Paystack(str(sandbox.http.base_url), SecretStr(KEY))
    running_app().state["clients"] = replace(clients(), configured_paystack=client)
    yield
    await client.close()


@pytest.mark.parametrize("name", CHARGE_WEBHOOKS)
async def test_every_way_to_tell_a_charge_is_settled(
    client: httpx.AsyncClient, signer: Signer, sandbox: Merchant, receiver: WebhookReceiver, name: str
) -> None:
    way: dict[str, Any] = {"currency": "NGN"} | CHARGE_WEBHOOKS[name]
    currency = way.pop("currency")
    reference = (await sandbox.start(currency=currency))["reference"]
    await payment(reference, amount=250_000, currency=currency)
    before = len(receiver.received)
    assert (await sandbox.pay(reference, **way)).status_code == 200
    notice = (await receiver.wait(before + 1))[-1].body
    assert (await send(client, notice)).status_code == 200
    await settle_all()
    if name == "multi-split":  # it names no currency: payments asks, as the sweep would
        assert (await found(reference)).status == "pending"
        await client.post(f"/payments/{reference}/verify", headers=signer.headers("payer-1"))
    paid = await found(reference)
    told = await sandbox.verify(reference)
    assert (paid.status, paid.paid_amount, paid.paystack_id) == ("succeeded", 250_000, told["id"])
    assert await outbox_types() == ["payment.succeeded"]


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        ("success", "succeeded"),
        ("failed", "failed"),
        *((each, "pending") for each in ("abandoned", "ongoing", "pending", "processing", "queued")),
    ],
)
async def test_every_state_is_understood(
    client: httpx.AsyncClient, signer: Signer, sandbox: Merchant, outcome: str, status: str
) -> None:
    reference = (await sandbox.start())["reference"]
    await payment(reference, amount=250_000)
    await sandbox.pay(reference, outcome=outcome, deliveries=0)
    answer = await client.post(f"/payments/{reference}/verify", headers=signer.headers("payer-1"))
    assert (answer.status_code, answer.json()["status"]) == (200, status)
