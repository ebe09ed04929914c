import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.sandbox.conftest import sandbox
from tests.sandbox.merchant import KEY, Merchant
from tests.sandbox.process import running
from tests.sandbox.receiver import Receiver

GOOD = {"email": "ada@example.com", "amount": 250_000, "currency": "NGN"}


@pytest.fixture
async def stormy() -> AsyncIterator[Merchant]:
    async with sandbox() as merchant:
        yield merchant


async def weather(merchant: Merchant, **faults: Any) -> None:
    assert (await merchant.http.put("/sandbox/faults", json=faults)).status_code == 200


@pytest.mark.parametrize(
    ("mode", "status", "code"),
    [
        ("error_500", 500, "unknown"),
        ("error_401", 401, "invalid_Key"),
        ("rate_limited", 429, "rate_limited"),
    ],
)
async def test_a_refusal_on_demand_changes_nothing(stormy: Merchant, mode: str, status: int, code: str) -> None:
    await weather(stormy, initialize={"mode": mode, "times": 1})
    answer = await stormy.initialize(**GOOD, reference="one")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers.get("x-ratelimit-remaining") == ("0" if status == 429 else None)
    assert (await stormy.call("GET", "/transaction/verify/one")).json()["code"] == "transaction_not_found"
    assert (await stormy.initialize(**GOOD, reference="one")).status_code == 200


async def test_a_page_in_place_of_an_answer(stormy: Merchant) -> None:
    await weather(stormy, verify={"mode": "html_200"})
    answer = await stormy.call("GET", "/transaction/verify/one")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")


async def test_a_transaction_that_verify_does_not_find(stormy: Merchant) -> None:
    started = await stormy.start()
    await weather(stormy, verify={"mode": "not_found", "times": 2})
    found = [await stormy.call("GET", f"/transaction/verify/{started['reference']}") for _ in range(3)]
    assert [answer.status_code for answer in found] == [400, 400, 200]


async def test_clearing_the_sky(stormy: Merchant) -> None:
    await weather(stormy, initialize={"mode": "error_500"}, latency_ms=1, rate_limit=5)
    assert (await stormy.http.get("/sandbox/faults")).json()["data"]["rate_limit"] == 5
    assert (await stormy.initialize(**GOOD)).status_code == 500
    assert (await stormy.http.delete("/sandbox/faults")).status_code == 200
    assert (await stormy.initialize(**GOOD)).status_code == 200


async def test_the_rate_limit_counts_every_call(stormy: Merchant) -> None:
    await weather(stormy, rate_limit=3)
    answers = [await stormy.initialize(**GOOD)]
    answers.append(await stormy.initialize())
    answers += [await stormy.call("GET", "/transaction") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 400, 200, 429]
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["2", "1", "0", "0"]
    assert {answer.headers["x-ratelimit-limit"] for answer in answers} == {"3"}
    assert all(1 <= int(answer.headers["x-ratelimit-reset"]) <= 60 for answer in answers)
    assert answers[-1].json()["message"] == "Rate limit exceeded!"
    assert (await stormy.http.get("/transaction")).status_code == 401  # a stranger's calls do not count


async def test_without_a_rate_limit_there_are_no_headers(shared: Merchant) -> None:
    assert "x-ratelimit-limit" not in (await shared.call("GET", "/transaction")).headers


@pytest.mark.parametrize(
    "faults",
    [
        {"initialize": {"mode": "not_found"}},
        {"verify": {"mode": "rain"}},
        {"verify": {"mode": "reset", "times": 0}},
        {"latency_ms": -1},
        {"rate_limit": 0},
        {"snow": 1},
    ],
)
async def test_weather_that_does_not_exist(stormy: Merchant, faults: dict[str, Any]) -> None:
    answer = await stormy.http.put("/sandbox/faults", json=faults)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_params")


async def test_answers_that_never_arrive(tmp_path: Path) -> None:
    """Over a real connection: what was stored is known to verify afterwards, and only that."""
    async with running(tmp_path / "sandbox.db") as process:
        merchant, http = process.merchant, process.merchant.http

        async def lost(mode: str, reference: str) -> type[Exception]:
            await weather(merchant, initialize={"mode": mode, "times": 1})
            with pytest.raises(httpx.TransportError) as raised:
                await http.post(
                    "/transaction/initialize",
                    json={**GOOD, "reference": reference},
                    headers={"authorization": f"Bearer {KEY}"},
                    timeout=0.5,
                )
            return raised.type

        assert await lost("timeout_before", "before") is httpx.ReadTimeout
        assert await lost("timeout_after_store", "after") is httpx.ReadTimeout
        assert await lost("reset", "cut") is httpx.RemoteProtocolError
        known = {
            each: (await merchant.call("GET", f"/transaction/verify/{each}")).status_code
            for each in ("before", "after", "cut")
        }
        assert known == {"before": 400, "after": 200, "cut": 200}


@pytest.mark.parametrize(
    ("mode", "field", "told"),
    [
        ("wrong_status", "status", "failed"),
        ("wrong_reference", "reference", "mine-of-another"),
        ("wrong_amount", "amount", 125_000),
        ("wrong_currency", "currency", "USD"),
        ("wrong_domain", "domain", "live"),
    ],
)
async def test_a_verify_that_lies(stormy: Merchant, mode: str, field: str, told: object) -> None:
    await stormy.start(reference="mine")
    await stormy.pay("mine")
    truth = await stormy.verify("mine")
    await weather(stormy, verify={"mode": mode, "times": 1})
    assert await stormy.verify("mine") == truth | {field: told}
    assert await stormy.verify("mine") == truth
    await weather(stormy, verify={"mode": mode})
    assert (await stormy.call("GET", "/transaction/verify/nobody")).json()["code"] == "transaction_not_found"


async def test_every_call_can_fail(stormy: Merchant) -> None:
    await weather(stormy, events={"mode": "error_500", "times": 1}, others={"mode": "rate_limited", "times": 2})
    paths = ["/integration/webhooks/events", "/dispute", "/settlement", "/transaction", "/integration/webhooks/events"]
    assert [(await stormy.call("GET", path)).status_code for path in paths] == [500, 429, 429, 200, 200]


async def test_webhooks_come_doubled_and_again_later(merchant: Merchant, receiver: Receiver) -> None:
    await weather(merchant, webhooks={"deliveries": 2, "again_after_ms": 50})
    await merchant.paid()
    assert len({each.body for each in await receiver.wait(3)}) == 1
    await merchant.webhooks(pending=0, delivered=3)
    await merchant.paid(deliveries=1, delay_ms=0)  # an order of its own; but again it comes
    await receiver.wait(5)
    await weather(merchant, webhooks={"deliveries": 0, "again_after_ms": 0})
    await merchant.paid()
    await merchant.webhooks(pending=0, delivered=5, lost=1)


async def test_webhooks_come_in_reverse_order(merchant: Merchant, receiver: Receiver) -> None:
    await weather(merchant, webhooks={"reverse_ms": 400})
    paid = await merchant.paid()
    refund = await merchant.refund(paid["reference"], amount=5)
    await merchant.order(f"refunds/{refund['id']}", outcome="processed")
    names = [json.loads(each.body)["event"] for each in await receiver.wait(3)]
    assert names == ["refund.processed", "refund.pending", "charge.success"]


async def test_webhooks_come_late(merchant: Merchant, receiver: Receiver) -> None:
    await weather(merchant, webhooks={"delay_ms": 200})
    late = await merchant.paid()
    soon = await merchant.paid(delay_ms=0)
    assert [json.loads(each.body)["data"]["id"] for each in await receiver.wait(2)] == [soon["id"], late["id"]]


async def test_one_call_can_be_slow(stormy: Merchant) -> None:
    started = await stormy.start()
    await weather(stormy, verify={"latency_ms": 60_000, "times": 1})
    slow = asyncio.create_task(stormy.verify(started["reference"]))
    assert (await asyncio.wait({slow}, timeout=0.1))[1] == {slow}
    assert (await stormy.call("GET", "/transaction")).status_code == 200
    assert (await stormy.verify(started["reference"]))["status"] == "abandoned"  # the second is not slow
    assert not slow.done()
    slow.cancel()
    await weather(stormy, verify={"latency_ms": 20})
    assert (await stormy.verify(started["reference"]))["status"] == "abandoned"
    assert (await stormy.http.put("/sandbox/faults", json={"verify": {"latency_ms": 60_001}})).status_code == 422
