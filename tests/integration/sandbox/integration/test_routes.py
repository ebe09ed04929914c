"""The payment session timeout of the account."""

from typing import Any

import pytest

from tests.fixtures.merchant import ORIGIN, Merchant

PATH = "/integration/payment_session_timeout"


async def test_session_timeout_when_changed_is_shown(isolated_merchant: Merchant) -> None:
    assert await isolated_merchant.get(PATH) == {"payment_session_timeout": 0}
    changed = await isolated_merchant.call("PUT", PATH, json={"timeout": 30})
    assert (changed.status_code, changed.json()["data"]) == (200, {"payment_session_timeout": 30})
    assert await isolated_merchant.get(PATH) == {"payment_session_timeout": 30}


@pytest.mark.parametrize("timeout", [None, -1, 1.5, True, "soon", 10**12])
async def test_session_timeout_that_is_no_number_of_seconds_is_refused(
    isolated_merchant: Merchant, timeout: Any
) -> None:
    refused = await isolated_merchant.call("PUT", PATH, json={"timeout": timeout})
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_params")
    assert await isolated_merchant.get(PATH) == {"payment_session_timeout": 0}


async def test_payment_after_the_session_is_refused_and_stays_abandoned(isolated_merchant: Merchant) -> None:
    await isolated_merchant.call("PUT", PATH, json={"timeout": 1})
    late = (await isolated_merchant.start())["reference"]
    await isolated_merchant.wait_for_session_end(late)
    for path in ("pay", "transfer"):
        refused = await isolated_merchant.control(f"transactions/{late}/{path}")
        assert (refused.status_code, refused.json()["code"]) == (409, "session_expired")
    assert (await isolated_merchant.verify(late))["status"] == "abandoned"
    await isolated_merchant.call("PUT", PATH, json={"timeout": 0})
    assert (await isolated_merchant.pay((await isolated_merchant.start())["reference"])).status_code == 200


async def test_transfer_account_of_the_session_takes_money_after_the_session(isolated_merchant: Merchant) -> None:
    await isolated_merchant.call("PUT", PATH, json={"timeout": 1})
    started = await isolated_merchant.start()
    reference = started["reference"]
    await isolated_merchant.control(f"transactions/{reference}/channel", channel="bank_transfer")
    await isolated_merchant.wait_for_session_end((await isolated_merchant.start())["reference"])  # ends later
    page = await isolated_merchant.http.get(started["authorization_url"].removeprefix(ORIGIN))
    assert "Time left" in page.text
    assert (await isolated_merchant.verify(reference))["status"] == "ongoing"
    await isolated_merchant.control(f"transactions/{reference}/transfer")
    assert (await isolated_merchant.verify(reference))["status"] == "success"
