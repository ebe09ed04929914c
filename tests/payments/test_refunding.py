"""A refund of a payment that Paystack does not know: said aloud, and asked about ever less often."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from kit.worker import Life
from services.payments import refunds
from services.payments.db import sessions
from services.payments.models import Payment
from services.payments.refunding import Refunder
from tests.payments.bank import Bank
from tests.payments.conftest import found, payment


async def test_it_is_asked_about_ever_less_often(bank: Bank, caplog: pytest.LogCaptureFixture) -> None:
    one = await payment(status="succeeded", paid_amount=50_000, paid_currency="NGN")
    async with sessions.begin() as session:
        await refunds.request(session, one.reference, amount=None, reason=None, requested_by="test")
    refunder = Refunder(sessions, asyncio.Event())
    pauses = []
    for _ in range(4):
        async with sessions.begin() as session:
            await session.execute(update(Payment).values(refunds_due_at=datetime.now(UTC) - timedelta(seconds=1)))
        due = await refunder._take()
        assert due is not None
        await refunder._attend(Life(), due)
        put_off = (await found(one.reference)).refunds_due_at
        assert put_off is not None
        pauses.append((put_off - datetime.now(UTC)).total_seconds())
    assert pauses == sorted(pauses)
    assert pauses[0] > 0
    assert "does not know a payment that is to be refunded" in caplog.text
    assert len(bank.calls("verify")) == 4
