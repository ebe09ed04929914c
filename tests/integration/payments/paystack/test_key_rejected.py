"""A secret key that Paystack rejects: one metric and one critical log line; no payment fails, and webhooks go on."""

import httpx
import pytest

from services.payments.paystack import rate_limit
from tests.factories.payments import LONG_AGO, create_paid_payment, create_payment
from tests.fakes.paystack import FakePaystack, charge_success, refusal
from tests.fixtures.loops import living, until
from tests.fixtures.payments_jobs import Jobs
from tests.fixtures.payments_requests import deliver
from tests.fixtures.payments_rows import change_payments, execute, find_payment, outbox_types


async def shown_metric(client: httpx.AsyncClient) -> float:
    lines = (await client.get("/metrics")).text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("paystack_key_rejected "))


async def test_key_when_it_is_rejected_alerts_operators_and_fails_no_payment(
    client: httpx.AsyncClient,
    customer: dict[str, str],
    operator: dict[str, str],
    paystack: FakePaystack,
    jobs: Jobs,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rate_limit, "MAX_SLEEP_SECONDS", 0.2)
    paystack.fail(refusal(401, "invalid_Key"), times=None)
    waiting, paid = await create_payment(verify_next_attempt_at=LONG_AGO), await create_paid_payment()
    await change_payments(created_at=LONG_AGO)  # old enough to be abandoned

    answer = await client.post(f"/payments/{waiting.reference}/verify", headers=customer)
    assert (answer.status_code, answer.json()["code"]) == (503, "paystack_unavailable")
    assert await shown_metric(client) == 1
    async with living(jobs.sweeper.run):
        asked = len(paystack.calls)
        refund = await client.post(
            f"/payments/{paid.reference}/refunds", json={"all": True}, headers={**operator, "Idempotency-Key": "k"}
        )
        assert refund.status_code == 202  # it waits
        # Out of service, payments could not receive webhooks either.
        assert (await client.get("/readyz")).status_code == 200
        other = await create_payment()
        await deliver(client, charge_success(other.reference))
        assert (await find_payment(other.reference)).status == "succeeded"
        assert len(paystack.calls) == asked  # no background call is made
        assert (await find_payment(waiting.reference)).status == "pending"
        assert await outbox_types() == ["payment.succeeded"]
        critical = [record for record in caplog.records if record.levelname == "CRITICAL"]
        assert len(critical) == 1
        assert "check PAYSTACK_SECRET_KEY" in str(critical[0].msg)

        # The key is right again. The next foreground call shows it, and the sweeper goes on.
        paystack.recover()
        paystack.add_transaction(waiting.reference)
        third = await create_payment()
        paystack.add_transaction(third.reference)
        answer = await client.post(f"/payments/{third.reference}/verify", headers=customer)
        assert answer.json()["status"] == "succeeded"
        assert await shown_metric(client) == 0
        await execute("UPDATE payments SET verify_next_attempt_at = now()")

        async def settled() -> bool:
            return (await find_payment(waiting.reference)).status == "succeeded"

        await until(settled)
