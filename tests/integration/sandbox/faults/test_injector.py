import asyncio
from typing import Any

import httpx
import pytest

from tests.fixtures.merchant import Merchant

VALID = {"email": "ada@example.com", "amount": 250_000, "currency": "NGN"}


async def set_faults(merchant: Merchant, **faults: Any) -> None:
    assert (await merchant.http.put("/sandbox/faults", json=faults)).status_code == 200


@pytest.mark.parametrize(
    ("mode", "status", "code"),
    [
        ("error_500", 500, "unknown"),
        ("error_401", 401, "invalid_Key"),
        ("rate_limited", 429, "rate_limited"),
    ],
)
async def test_call_with_an_error_fault_is_refused_and_stores_nothing(
    isolated_merchant: Merchant, mode: str, status: int, code: str
) -> None:
    await set_faults(isolated_merchant, initialize={"mode": mode, "times": 1})
    response = await isolated_merchant.initialize(**VALID, reference="one")
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.headers.get("x-ratelimit-remaining") == ("0" if status == 429 else None)
    assert (await isolated_merchant.call("GET", "/transaction/verify/one")).json()["code"] == "transaction_not_found"
    assert (await isolated_merchant.initialize(**VALID, reference="one")).status_code == 200


async def test_verify_with_an_html_fault_returns_a_page(isolated_merchant: Merchant) -> None:
    await set_faults(isolated_merchant, verify={"mode": "html_200"})
    response = await isolated_merchant.call("GET", "/transaction/verify/one")
    assert (response.status_code, response.headers["content-type"]) == (200, "text/html; charset=utf-8")


async def test_verify_with_a_not_found_fault_fails_the_ordered_times(isolated_merchant: Merchant) -> None:
    started = await isolated_merchant.start()
    await set_faults(isolated_merchant, verify={"mode": "not_found", "times": 2})
    found = [await isolated_merchant.call("GET", f"/transaction/verify/{started['reference']}") for _ in range(3)]
    assert [response.status_code for response in found] == [400, 400, 200]


async def test_calls_above_the_rate_limit_are_refused_with_headers(isolated_merchant: Merchant) -> None:
    await set_faults(isolated_merchant, rate_limit=3)
    responses = [await isolated_merchant.initialize(**VALID)]
    responses.append(await isolated_merchant.initialize())
    responses += [await isolated_merchant.call("GET", "/transaction") for _ in range(2)]
    assert [response.status_code for response in responses] == [200, 400, 200, 429]
    assert [response.headers["x-ratelimit-remaining"] for response in responses] == ["2", "1", "0", "0"]
    assert {response.headers["x-ratelimit-limit"] for response in responses} == {"3"}
    assert all(1 <= int(response.headers["x-ratelimit-reset"]) <= 60 for response in responses)
    assert responses[-1].json()["message"] == "Rate limit exceeded!"
    assert (
        await isolated_merchant.http.get("/transaction")
    ).status_code == 401  # a call without the key does not count


async def test_call_without_a_rate_limit_has_no_headers(shared_merchant: Merchant) -> None:
    assert "x-ratelimit-limit" not in (await shared_merchant.call("GET", "/transaction")).headers


async def test_call_without_a_response_is_stored_only_if_the_mode_stores_first(process_merchant: Merchant) -> None:
    """Over a real connection, verify knows afterwards only the transactions that were stored."""

    async def initialize(mode: str, reference: str) -> type[Exception]:
        await set_faults(process_merchant, initialize={"mode": mode, "times": 1})
        with pytest.raises(httpx.TransportError) as raised:
            await process_merchant.call(
                "POST",
                "/transaction/initialize",
                json={**VALID, "reference": reference},
                timeout=httpx.Timeout(5, read=0.2 if mode.startswith("timeout") else 5),
            )
        return raised.type

    assert await initialize("timeout_before", "before") is httpx.ReadTimeout
    assert await initialize("timeout_after_store", "after") is httpx.ReadTimeout
    assert await initialize("reset", "cut") is httpx.RemoteProtocolError
    known = {
        reference: (await process_merchant.call("GET", f"/transaction/verify/{reference}")).status_code
        for reference in ("before", "after", "cut")
    }
    assert known == {"before": 400, "after": 200, "cut": 200}


@pytest.mark.parametrize(
    ("mode", "field", "wrong_value"),
    [
        ("wrong_status", "status", "failed"),
        ("wrong_reference", "reference", "mine-of-another"),
        ("wrong_amount", "amount", 125_000),
        ("wrong_currency", "currency", "USD"),
        ("wrong_domain", "domain", "live"),
    ],
)
async def test_verify_with_a_wrong_value_fault_changes_one_value(
    isolated_merchant: Merchant, mode: str, field: str, wrong_value: object
) -> None:
    await isolated_merchant.start(reference="mine")
    await isolated_merchant.pay("mine")
    true_body = await isolated_merchant.verify("mine")
    await set_faults(isolated_merchant, verify={"mode": mode, "times": 1})
    assert await isolated_merchant.verify("mine") == true_body | {field: wrong_value}
    assert await isolated_merchant.verify("mine") == true_body
    await set_faults(isolated_merchant, verify={"mode": mode})
    assert (await isolated_merchant.call("GET", "/transaction/verify/no-such-reference")).json()[
        "code"
    ] == "transaction_not_found"


async def test_fault_of_other_calls_affects_all_of_them(isolated_merchant: Merchant) -> None:
    await set_faults(
        isolated_merchant, events={"mode": "error_500", "times": 1}, others={"mode": "rate_limited", "times": 2}
    )
    paths = ["/integration/webhooks/events", "/dispute", "/settlement", "/transaction", "/integration/webhooks/events"]
    assert [(await isolated_merchant.call("GET", path)).status_code for path in paths] == [500, 429, 429, 200, 200]


async def test_latency_of_one_call_delays_no_other(isolated_merchant: Merchant) -> None:
    started = await isolated_merchant.start()
    await set_faults(isolated_merchant, verify={"latency_ms": 60_000, "times": 1})
    slow = asyncio.create_task(isolated_merchant.verify(started["reference"]))
    assert (await asyncio.wait({slow}, timeout=0.1))[1] == {slow}
    assert (await isolated_merchant.call("GET", "/transaction")).status_code == 200
    assert (await isolated_merchant.verify(started["reference"]))["status"] == "abandoned"  # the fault was for one call
    assert not slow.done()
    slow.cancel()
    await set_faults(isolated_merchant, verify={"latency_ms": 20})
    assert (await isolated_merchant.verify(started["reference"]))["status"] == "abandoned"
    assert (
        await isolated_merchant.http.put("/sandbox/faults", json={"verify": {"latency_ms": 60_001}})
    ).status_code == 422
