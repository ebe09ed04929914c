from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.sandbox.conftest import sandbox
from tests.sandbox.merchant import KEY, Merchant
from tests.sandbox.process import running

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
