from typing import Any

import pytest

from tests.fixtures.merchant import Merchant

VALID = {"email": "ada@example.com", "amount": 250_000, "currency": "NGN"}


async def set_faults(merchant: Merchant, **faults: Any) -> None:
    assert (await merchant.http.put("/sandbox/faults", json=faults)).status_code == 200


async def test_faults_after_delete_are_gone(isolated_merchant: Merchant) -> None:
    await set_faults(isolated_merchant, initialize={"mode": "error_500"}, latency_ms=1, rate_limit=5)
    assert (await isolated_merchant.http.get("/sandbox/faults")).json()["data"]["rate_limit"] == 5
    assert (await isolated_merchant.initialize(**VALID)).status_code == 500
    assert (await isolated_merchant.http.delete("/sandbox/faults")).status_code == 200
    assert (await isolated_merchant.initialize(**VALID)).status_code == 200


@pytest.mark.parametrize(
    "faults",
    [
        {"initialize": {"mode": "not_found"}},
        {"verify": {"mode": "unknown"}},
        {"verify": {"mode": "reset", "times": 0}},
        {"latency_ms": -1},
        {"rate_limit": 0},
        {"unknown": 1},
    ],
)
async def test_faults_with_an_unknown_field_or_value_are_refused(
    isolated_merchant: Merchant, faults: dict[str, Any]
) -> None:
    response = await isolated_merchant.http.put("/sandbox/faults", json=faults)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_params")
