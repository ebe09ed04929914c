import asyncio
import json
from typing import Any

import pytest

from tests.sandbox.merchant import Merchant
from tests.sandbox.receiver import Receiver


async def test_what_is_reported_can_differ(merchant: Merchant, receiver: Receiver) -> None:
    started = await merchant.start(amount=500_000)
    await merchant.pay(started["reference"], amount=1, currency="USD", fees=7, domain="live")
    notice = json.loads((await receiver.wait(1))[0].body)["data"]
    for reported in (notice, await merchant.verify(started["reference"])):
        told = reported["amount"], reported["currency"], reported["fees"], reported["domain"]
        assert told == (1, "USD", 7, "live")
        assert reported["requested_amount"] == 500_000


async def test_fees_can_be_unknown(shared: Merchant) -> None:
    started = await shared.start()
    assert (await shared.pay(started["reference"], fees=None)).json()["data"]["fees"] is None


async def test_no_body_is_a_plain_success(shared: Merchant) -> None:
    started = await shared.start()
    answer = await shared.http.post(f"/sandbox/transactions/{started['reference']}/pay")
    assert (answer.status_code, answer.json()["data"]["status"]) == (200, "success")


async def test_nobody_pays_twice(shared: Merchant) -> None:
    started = await shared.start()
    answers = await asyncio.gather(*(shared.pay(started["reference"]) for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 9
    for outcome in ("success", "failed", "abandoned"):
        answer = await shared.pay(started["reference"], outcome=outcome)
        assert (answer.status_code, answer.json()["code"]) == (409, "already_paid")
    assert (await shared.verify(started["reference"]))["status"] == "success"


async def test_an_unknown_reference(shared: Merchant) -> None:
    for answer in (await shared.pay("nobody-knows"), await shared.http.get("/sandbox/transactions/nobody-knows")):
        assert (answer.status_code, answer.json()["message"]) == (404, "No transaction has this reference")


@pytest.mark.parametrize(
    "instruction",
    [
        {"outcome": "maybe"},
        {"amount": "100"},
        {"amount": -1},
        {"amount": 1.5},
        {"amount": 10**30},
        {"currency": "naira"},
        {"fees": True},
        {"domain": "prod"},
        {"deliveries": -1},
        {"deliveries": 10**6},
        {"delay_ms": 10**9},
        {"outcom": "success"},
    ],
)
async def test_an_instruction_that_makes_no_sense(shared: Merchant, instruction: dict[str, Any]) -> None:
    started = await shared.start()
    answer = await shared.pay(started["reference"], **instruction)
    assert answer.status_code == 422
    assert answer.json()["message"].startswith(f"{next(iter(instruction))}: ")
    assert (await shared.verify(started["reference"]))["status"] == "abandoned"
