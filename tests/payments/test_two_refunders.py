"""Two workers, and notices that come while one of them has a refund in hand: each refund is sent once."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import select

from services.payments.db import Topic, sessions
from services.payments.paystack.client import Paystack
from services.payments.refunds import requests
from services.payments.refunds.executor import RefundExecutor
from services.payments.refunds.models import Refund
from tests.loops import living, until
from tests.payments.conftest import clients, notifier, payment, running_app

SLOW_SECONDS = 0.3


class SlowBank:
    """Answers a refund late, and lists it only after that: what another worker sees meanwhile is nothing."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.listed: list[dict[str, Any]] = []
        self.sending = asyncio.Event()

    async def answer(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return self._ok(self.listed)
        asked = json.loads(request.content)
        refund = {
            "id": len(self.sent) + 1,
            "amount": asked["amount"],
            "status": "processed",
            "merchant_note": asked["merchant_note"],
        }
        self.sent.append(refund)
        self.sending.set()
        await asyncio.sleep(SLOW_SECONDS)  # the network, played
        self.listed.append(refund)
        return self._ok(refund)

    @staticmethod
    def _ok(data: Any) -> httpx.Response:
        return httpx.Response(200, json={"status": True, "message": "ok", "data": data})


async def test_a_nudge_in_the_middle_sends_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    bank = SlowBank()
    paystack = Paystack("http://paystack.test", SecretStr("sk_test_0123456789abcdef"), httpx.MockTransport(bank.answer))
    running_app().state["clients"] = replace(clients(), configured_paystack=paystack)
    paid: dict[str, Any] = {"status": "succeeded", "paid_amount": 50_000, "paid_currency": "NGN", "paystack_id": 77}
    one = await payment(**paid)
    async with sessions.begin() as session:
        for _ in range(3):
            await requests.request_refund(session, one.reference, amount=10_000, reason=None, requested_by="test")
    first, second = (
        RefundExecutor(sessions, clients().paystack, notifier()),
        RefundExecutor(sessions, clients().paystack, notifier()),
    )
    async with living(first.run, second.run):
        for _ in range(3):
            await bank.sending.wait()
            bank.sending.clear()
            async with sessions.begin() as session:
                await requests.schedule_sync(session, [one.reference])
            notifier().wake(Topic.REFUNDS)

        async def all_processed() -> bool:
            async with sessions() as session:
                statuses = (await session.execute(select(Refund.status))).scalars().all()
            return list(statuses) == ["processed"] * 3

        await until(all_processed, 20)
    await paystack.close()
    assert len(bank.sent) == 3
    assert len({refund["merchant_note"] for refund in bank.sent}) == 3
