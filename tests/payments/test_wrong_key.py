"""A secret key that Paystack rejects: a metric and one loud line for whoever is on call; no payment fails, and webhooks go on."""

from datetime import UTC, datetime

import httpx
import pytest
from sqlalchemy import func, update

from services.payments.db import sessions
from services.payments.models import Payment
from services.payments.paystack import rate_limit
from services.payments.settlement.sweeper import Sweeper
from tests.conftest import ADMIN, Signer
from tests.loops import living, until
from tests.payments.conftest import charge, clients, found, outbox_types, payment, send, settle_all
from tests.payments.weather import Weather, ok, refused

PAST = datetime(2026, 1, 1, tzinfo=UTC)


async def metric(client: httpx.AsyncClient) -> float:
    lines = (await client.get("/metrics")).text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("paystack_key_rejected "))


async def test_a_wrong_key_pages_somebody_and_fails_nothing(
    client: httpx.AsyncClient,
    signer: Signer,
    paystack: Weather,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rate_limit, "LONGEST_LOOK_AHEAD", 0.2)
    paystack.then(refused(401, "invalid_Key"))
    waiting, paid = await payment(verify_next_attempt_at=PAST), await payment(status="succeeded", paid_amount=50_000)
    async with sessions.begin() as session:
        await session.execute(update(Payment).values(created_at=PAST))  # old enough to be given up
    payer, admin = signer.headers("payer-1"), signer.headers("admin", scopes=ADMIN)

    answer = await client.post(f"/payments/{waiting.reference}/verify", headers=payer)
    assert (answer.status_code, answer.json()["code"]) == (503, "paystack_unavailable")
    assert await metric(client) == 1
    async with living(Sweeper(sessions, clients().paystack).run):
        asked = len(paystack.asked)
        refund = await client.post(f"/payments/{paid.reference}/refunds", json={}, headers=admin)
        assert refund.status_code == 202  # it waits
        assert (await client.get("/readyz")).status_code == 200  # taken out of service it could not even take webhooks
        other = await payment()
        assert (await send(client, charge(other.reference))).status_code == 200
        await settle_all()
        assert (await found(other.reference)).status == "succeeded"
        assert len(paystack.asked) == asked  # no call that can wait is made
        assert (await found(waiting.reference)).status == "pending"
        assert await outbox_types() == ["payment.succeeded"]
        loud = [record for record in caplog.records if record.levelname == "CRITICAL"]
        assert len(loud) == 1
        assert "check PAYSTACK_SECRET_KEY" in str(loud[0].msg)

        # The key is right again. Whoever asks next finds it out, and the sweep goes on.
        paystack.then(lambda request: ok(charge(request.url.path.rpartition("/")[2])["data"]))
        paystack.answers.pop(0)
        third = await payment()
        answer = await client.post(f"/payments/{third.reference}/verify", headers=payer)
        assert answer.json()["status"] == "succeeded"
        assert await metric(client) == 0
        async with sessions.begin() as session:
            await session.execute(update(Payment).values(verify_next_attempt_at=func.now()))

        async def settled() -> bool:
            return (await found(waiting.reference)).status == "succeeded"

        await until(settled)
