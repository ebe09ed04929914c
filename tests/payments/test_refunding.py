"""Refunds that Paystack does not carry out: of a payment that it does not know, and one too many."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import func, select, text, update

from kit.worker.shutdown import Shutdown
from services.payments.db import sessions
from services.payments.models import Payment
from services.payments.paystack.client import Paystack
from services.payments.refunds import requests
from services.payments.refunds.executor import RefundExecutor
from services.payments.refunds.models import Refund
from tests.loops import until
from tests.payments.bank import Bank, notice, refused
from tests.payments.complaints import disputed, look, look_at_refunds, lost, paid, tell
from tests.payments.conftest import charge, clients, found, notifier, outbox_types, payment, running_app


async def test_it_is_asked_about_ever_less_often(bank: Bank, caplog: pytest.LogCaptureFixture) -> None:
    one = await payment(status="succeeded", paid_amount=50_000, paid_currency="NGN")
    async with sessions.begin() as session:
        await requests.request_refund(session, one.reference, amount=None, reason=None, requested_by="test")
    refunder = RefundExecutor(sessions, clients().paystack, notifier())
    pauses = []
    for _ in range(4):
        async with sessions.begin() as session:
            await session.execute(
                update(Payment).values(refunds_next_attempt_at=datetime.now(UTC) - timedelta(seconds=1))
            )
        due = await refunder._take_due()
        assert due is not None
        await refunder._process(Shutdown(), due)
        put_off = (await found(one.reference)).refunds_next_attempt_at
        assert put_off is not None
        pauses.append((put_off - datetime.now(UTC)).total_seconds())
    assert pauses == sorted(pauses)
    assert pauses[0] > 0
    assert "does not know a payment that is to be refunded" in caplog.text
    assert len(bank.calls("verify")) == 4


async def test_a_refusal_waits_for_whoever_has_the_payment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lost dispute that is being written down reckons with a refund that is asked for: it must not fail meanwhile."""
    asked, answered = asyncio.Event(), asyncio.Event()

    async def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json={"status": True, "message": "", "data": []})
        asked.set()
        await answered.wait()
        return refused(400, "invalid_params", "Total refund amount cannot exceed original transaction amount")

    paystack = Paystack("http://paystack.test", SecretStr("sk_test_0123456789abcdef"), httpx.MockTransport(answer))
    running_app().state["clients"] = replace(clients(), configured_paystack=paystack)
    one = await paid()
    async with sessions.begin() as session:
        await requests.request_refund(session, one.reference, amount=None, reason=None, requested_by="test")

    async def waits_or_is_written() -> bool:
        waiting = select(func.count()).select_from(text("pg_locks")).where(text("NOT granted"))
        failed = select(func.count()).select_from(Refund).where(Refund.status == "failed")
        async with sessions() as session:
            return bool((await session.execute(waiting)).scalar_one() or (await session.execute(failed)).scalar_one())

    refusing = asyncio.create_task(look_at_refunds())
    await asyncio.wait_for(asked.wait(), 5)
    async with sessions.begin() as holder:
        await holder.execute(select(Payment.id).where(Payment.id == one.id).with_for_update())
        answered.set()
        await until(waits_or_is_written, 5)
        assert (await holder.execute(select(Refund.status))).scalars().all() == ["requested"]
    await refusing
    await paystack.close()
    async with sessions() as session:
        assert (await session.execute(select(Refund.status))).scalars().all() == ["failed"]


async def test_a_refund_that_is_told_before_the_payment(client: httpx.AsyncClient, bank: Bank) -> None:
    """Declined, then paid on the same page and given back in part, and of the payment itself we hear last: it is delivered for."""
    declined, untold = await paid(status="failed", paid_amount=None), await payment()
    for one in (declined, untold):
        bank.refunds = [{"id": one.id, "amount": 10_000, "status": "processed", "merchant_note": "by the desk"}]
        await tell(client, {"event": "refund.processed", "data": {"transaction_reference": one.reference}})
        await look_at_refunds()
        heard = await found(one.reference)
        assert (heard.status, heard.refunded_amount) == ("pending", 0)
        assert heard.verify_next_attempt_at <= datetime.now(UTC), "Paystack is asked about the payment at once"
        await tell(client, charge(one.reference))
        assert (await found(one.reference)).status == "succeeded"
        await look_at_refunds()
        heard = await found(one.reference)
        assert (heard.status, heard.refunded_amount) == ("partially_refunded", 10_000)
    assert await outbox_types() == ["payment.succeeded", "payment.refunded"] * 2


async def test_what_a_lost_dispute_took_is_reckoned_at_the_refusal(
    client: httpx.AsyncClient, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a refund of ours is asked for nobody knows what the dispute took; once it is refused, nobody may ask for that money again."""
    one, body = await disputed(client, bank)
    async with sessions.begin() as session:
        await requests.request_refund(session, one.reference, amount=None, reason=None, requested_by="test")
    bank.disputes[body["id"]] = lost(body)
    await tell(client, notice("resolve", lost(body)))
    await look()

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json={"status": True, "message": "", "data": []})
        return refused(400, "invalid_params", "Total refund amount cannot exceed original transaction amount")

    paystack = Paystack("http://paystack.test", SecretStr("sk_test_0123456789abcdef"), httpx.MockTransport(answer))
    running_app().state["clients"] = replace(clients(), configured_paystack=paystack)
    await look_at_refunds()
    await paystack.close()
    async with sessions() as session:
        rows = await session.execute(select(Refund.requested_by, Refund.status, Refund.amount).order_by(Refund.number))
    assert [tuple(row) for row in rows] == [("test", "failed", 50_000), ("paystack", "pending", 50_000)]
