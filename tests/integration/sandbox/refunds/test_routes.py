import asyncio
from typing import Any

import httpx
import pytest

from tests.fixtures.merchant import Merchant
from tests.fixtures.sandbox import in_process_sandbox


async def refund_error(merchant: Merchant, **fields: Any) -> tuple[int, str, str]:
    response = await merchant.call("POST", "/refund", json=fields)
    body = response.json()
    assert body["status"] is False
    return response.status_code, body["message"], body.get("code", "")


async def test_refund_of_a_paid_transaction_is_pending(shared_merchant: Merchant) -> None:
    paid = await shared_merchant.paid(amount=500_000)
    response = await shared_merchant.call("POST", "/refund", json={"transaction": paid["reference"], "amount": 100_000})
    assert (response.status_code, response.json()["message"]) == (200, "Refund has been queued for processing")
    refund = response.json()["data"]
    assert (refund["status"], refund["amount"], refund["fully_deducted"]) == ("pending", 100_000, False)
    assert refund["transaction"]["reference"] == paid["reference"]
    assert refund["customer_note"] == f"Refund for transaction {paid['reference']}"
    assert refund["id"] > 2**32
    assert (await shared_merchant.verify(paid["reference"]))["status"] == "reversal-pending"


async def test_refund_by_numeric_id_is_accepted(shared_merchant: Merchant) -> None:
    paid = await shared_merchant.paid()
    for transaction in (paid["id"], str(paid["id"])):
        refund = await shared_merchant.refund(transaction, amount=1_000, merchant_note="why", customer_note="sorry")
        assert (refund["transaction"]["id"], refund["merchant_note"]) == (paid["id"], "why")


async def test_refund_with_a_form_is_accepted(shared_merchant: Merchant) -> None:
    paid = await shared_merchant.paid()
    response = await shared_merchant.call("POST", "/refund", data={"transaction": paid["reference"], "amount": "700"})
    assert response.json()["data"]["amount"] == 700


async def test_refund_without_an_amount_is_the_original_amount(shared_merchant: Merchant) -> None:
    whole, partly = await shared_merchant.paid(), await shared_merchant.paid()
    assert (await shared_merchant.refund(whole["reference"]))["amount"] == 250_000
    await shared_merchant.refund(partly["reference"], amount=1)
    assert (await refund_error(shared_merchant, transaction=partly["reference"]))[:2] == (
        400,
        "Total refund amount cannot exceed original transaction amount",
    )


async def test_concurrent_refunds_never_exceed_the_payment(shared_merchant: Merchant) -> None:
    paid = await shared_merchant.paid(amount=100)
    responses = await asyncio.gather(
        *(
            shared_merchant.call("POST", "/refund", json={"transaction": paid["reference"], "amount": 30})
            for _ in range(10)
        )
    )
    assert sorted(response.status_code for response in responses) == [200] * 3 + [400] * 7
    first = next(response.json()["data"] for response in responses if response.status_code == 200)
    await shared_merchant.control(f"refunds/{first['id']}", outcome="failed")
    await shared_merchant.refund(paid["reference"], amount=40)  # a failed refund does not count


@pytest.mark.parametrize(
    ("fields", "status", "text", "code"),
    [
        ({"transaction": None}, 400, "Transaction is required", "missing_params"),
        ({"transaction": "no-such-reference"}, 404, "Transaction not found", ""),
        ({"transaction": "9" * 60}, 404, "Transaction not found", ""),
        ({"transaction": ["x"]}, 400, "transaction must be a reference or a numeric id", "invalid_params"),
        ({"amount": 0}, 400, "Invalid Amount Sent", "invalid_amount"),
        ({"amount": 1.5}, 400, '"amount" must be an integer', "invalid_amount"),
        ({"amount": 250_001}, 400, "Total refund amount cannot exceed original transaction amount", "invalid_params"),
        ({"currency": "GHS"}, 400, "Refund currency must match the currency of the transaction", "invalid_params"),
        ({"customer_note": "x" * 1_001}, 400, "customer_note must be a string of 1000 characters", "invalid_params"),
        ({"merchant_note": 7}, 400, "merchant_note must be a string of 1000 characters", "invalid_params"),
    ],
)
async def test_refund_with_an_invalid_field_is_refused(
    shared_merchant: Merchant, fields: dict[str, Any], status: int, text: str, code: str
) -> None:
    paid = await shared_merchant.paid()
    response = await refund_error(shared_merchant, **{"transaction": paid["reference"]} | fields)
    assert (response[0], response[2]) == (status, code)
    assert response[1].startswith(text)
    assert (await shared_merchant.verify(paid["reference"]))["status"] == "success"


async def test_refund_of_an_unpaid_transaction_or_below_the_minimum_is_refused(shared_merchant: Merchant) -> None:
    unpaid = await shared_merchant.start()
    assert (await refund_error(shared_merchant, transaction=unpaid["reference"]))[0] == 400
    cedis = await shared_merchant.start(currency="GHS")
    await shared_merchant.pay(cedis["reference"])
    assert (await refund_error(shared_merchant, transaction=cedis["reference"], amount=99))[1].startswith(
        "Refund amount is below"
    )
    await shared_merchant.refund(cedis["reference"], amount=100)


async def test_refund_when_the_balance_is_set_to_insufficient_is_refused_with_a_message_of_the_sandbox() -> None:
    async with in_process_sandbox() as merchant:
        paid = await merchant.paid()
        await merchant.http.put("/sandbox/faults", json={"insufficient_balance": True})
        refused = await refund_error(merchant, transaction=paid["reference"], amount=100)
        assert refused == (
            400,
            "Simulated by the sandbox: your balance is too low for this refund",
            "sandbox_insufficient_balance",
        )
        assert (await merchant.verify(paid["reference"]))["status"] == "success"
        await merchant.http.delete("/sandbox/faults")
        await merchant.refund(paid["reference"], amount=100)


async def test_list_and_fetch_of_a_refund_differ_as_paystacks_do(shared_merchant: Merchant) -> None:
    paid = await shared_merchant.paid()
    refund = await shared_merchant.refund(paid["reference"], amount=100)
    await shared_merchant.control(f"refunds/{refund['id']}", outcome="processed")
    fetched = await shared_merchant.get(f"/refund/{refund['id']}")
    (listed,) = await shared_merchant.get("/refund", transaction=paid["id"])
    assert (fetched["fully_deducted"], listed["fully_deducted"]) == (True, 1)
    assert "createdAt" in fetched
    assert "createdAt" not in listed
    assert fetched["createdAt"] == listed["created_at"]
    for each in (fetched, listed):
        assert (each["id"], each["transaction"], each["refund_type"]) == (refund["id"], paid["id"], "partial")


async def test_list_with_filters_and_pages_returns_the_matching_refunds() -> None:
    async with in_process_sandbox(refund_seconds=0) as merchant:
        one, other = await merchant.paid(), await merchant.paid()
        made = [(await merchant.refund(each["reference"], amount=10))["id"] for each in (one, one, other)]
        await merchant.control(f"refunds/{made[0]}", outcome="failed")

        async def listed(**query: str | int) -> list[int]:
            return [each["id"] for each in await merchant.get("/refund", **query)]

        assert await listed() == made[::-1]
        assert await listed(transaction=one["id"]) == made[1::-1]
        assert await listed(transaction=one["reference"]) == []
        assert await listed(perPage=2, page=2) == made[:1]
        assert await listed(currency="GHS") == []
        assert await listed(**{"from": "2999-01-01"}) == []
        body = (await merchant.call("GET", "/refund?perPage=2")).json()
        assert body["message"] == "Refunds retrieved"
        assert body["meta"] == {
            "total": 3,
            "skipped": 0,
            "perPage": 2,
            "page": 1,
            "pageCount": 2,
            "failedRefundCount": 1,
        }
        for unknown in ("1", "x", "9" * 40):
            assert (await merchant.call("GET", f"/refund/{unknown}")).status_code == 404


async def test_refund_with_a_fault_is_stored_only_if_the_mode_stores_first(process_merchant: Merchant) -> None:
    """Over a real connection, a refund whose response was lost is stored, and one that was refused is not."""
    paid = await process_merchant.paid()

    async def refund(mode: str) -> int | type[Exception]:
        fault = {"refund_writes": {"mode": mode, "times": 1}}
        assert (await process_merchant.http.put("/sandbox/faults", json=fault)).status_code == 200
        body = {"transaction": paid["reference"], "amount": 10}
        timeout = httpx.Timeout(5, read=0.2 if mode.startswith("timeout") else 5)
        try:
            return (await process_merchant.call("POST", "/refund", json=body, timeout=timeout)).status_code
        except httpx.TransportError as error:
            return type(error)

    async def stored() -> int:
        return len(await process_merchant.get("/refund", transaction=paid["id"]))

    assert await refund("timeout_before") is httpx.ReadTimeout
    assert await refund("error_500") == 500
    assert await stored() == 0
    assert await refund("timeout_after_store") is httpx.ReadTimeout
    assert await refund("reset") is httpx.RemoteProtocolError
    assert await stored() == 2
    fault = {"refund_reads": {"mode": "rate_limited", "times": 1}}
    assert (await process_merchant.http.put("/sandbox/faults", json=fault)).status_code == 200
    assert (await process_merchant.call("GET", "/refund")).status_code == 429
    assert (await process_merchant.call("GET", "/refund")).status_code == 200
