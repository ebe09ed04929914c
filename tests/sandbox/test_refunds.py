import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.errors import Refusal
from sandbox.refunds.request import account_currency, asked
from tests.sandbox.conftest import sandbox
from tests.sandbox.merchant import KEY, Merchant
from tests.sandbox.process import running
from tests.sandbox.receiver import Receiver
from tests.sandbox.rubbish import JSON, patiently

ACCOUNT = {"refund_account_details": {"currency": "NGN", "account_number": "0123456789", "bank_id": "9"}}


def told(receiver: Receiver, event: str) -> list[Any]:
    notices = [json.loads(each.body) for each in receiver.received]
    return [notice["data"] for notice in notices if notice["event"] == event]


async def refused(merchant: Merchant, **fields: Any) -> tuple[int, str, str]:
    answer = await merchant.call("POST", "/refund", json=fields)
    body = answer.json()
    assert body["status"] is False
    return answer.status_code, body["message"], body.get("code", "")


async def test_a_refund_is_queued(shared: Merchant) -> None:
    paid = await shared.paid(amount=500_000)
    answer = await shared.call("POST", "/refund", json={"transaction": paid["reference"], "amount": 100_000})
    assert (answer.status_code, answer.json()["message"]) == (200, "Refund has been queued for processing")
    refund = answer.json()["data"]
    assert (refund["status"], refund["amount"], refund["fully_deducted"]) == ("pending", 100_000, False)
    assert refund["transaction"]["reference"] == paid["reference"]
    assert refund["customer_note"] == f"Refund for transaction {paid['reference']}"
    assert refund["id"] > 2**32
    assert (await shared.verify(paid["reference"]))["status"] == "reversal-pending"


async def test_the_transaction_may_be_named_by_its_number(shared: Merchant) -> None:
    paid = await shared.paid()
    for transaction in (paid["id"], str(paid["id"])):
        refund = await shared.refund(transaction, amount=1_000, merchant_note="why", customer_note="sorry")
        assert (refund["transaction"]["id"], refund["merchant_note"]) == (paid["id"], "why")


async def test_a_form_does_as_well(shared: Merchant) -> None:
    paid = await shared.paid()
    answer = await shared.call("POST", "/refund", data={"transaction": paid["reference"], "amount": "700"})
    assert answer.json()["data"]["amount"] == 700


async def test_without_an_amount_it_is_the_whole_original(shared: Merchant) -> None:
    whole, partly = await shared.paid(), await shared.paid()
    assert (await shared.refund(whole["reference"]))["amount"] == 250_000
    await shared.refund(partly["reference"], amount=1)
    assert (await refused(shared, transaction=partly["reference"]))[:2] == (
        400,
        "Total refund amount cannot exceed original transaction amount",
    )


async def test_refunds_never_exceed_the_payment(shared: Merchant) -> None:
    paid = await shared.paid(amount=100)
    answers = await asyncio.gather(
        *(shared.call("POST", "/refund", json={"transaction": paid["reference"], "amount": 30}) for _ in range(10))
    )
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [400] * 7
    first = answers[0].json()["data"]
    await shared.order(f"refunds/{first['id']}", outcome="failed")
    await shared.refund(paid["reference"], amount=40)  # what failed has not gone


@pytest.mark.parametrize(
    ("fields", "status", "words", "code"),
    [
        ({"transaction": None}, 400, "Transaction is required", "missing_params"),
        ({"transaction": "nobody-knows"}, 404, "Transaction not found", ""),
        ({"transaction": "9" * 60}, 404, "Transaction not found", ""),
        ({"transaction": ["x"]}, 400, "transaction must be a reference or a numeric id", "invalid_params"),
        ({"amount": 0}, 400, "Invalid Amount Sent", "invalid_amount"),
        ({"amount": 1.5}, 400, '"amount" must be an integer', "invalid_amount"),
        ({"amount": 250_001}, 400, "Total refund amount cannot exceed original transaction amount", "invalid_params"),
        ({"currency": "GHS"}, 400, "Refund currency must match the currency of the transaction", "invalid_params"),
        ({"customer_note": "x" * 1_001}, 400, "customer_note must be a text of 1000 characters", "invalid_params"),
        ({"merchant_note": 7}, 400, "merchant_note must be a text of 1000 characters", "invalid_params"),
    ],
)
async def test_refusals(shared: Merchant, fields: dict[str, Any], status: int, words: str, code: str) -> None:
    paid = await shared.paid()
    answer = await refused(shared, **{"transaction": paid["reference"]} | fields)
    assert (answer[0], answer[2]) == (status, code)
    assert answer[1].startswith(words)
    assert (await shared.verify(paid["reference"]))["status"] == "success"


async def test_an_unpaid_transaction_and_too_little(shared: Merchant) -> None:
    unpaid = await shared.start()
    assert (await refused(shared, transaction=unpaid["reference"]))[0] == 400
    cedis = await shared.start(currency="GHS")
    await shared.pay(cedis["reference"])
    assert (await refused(shared, transaction=cedis["reference"], amount=99))[1].startswith("Refund amount is below")
    await shared.refund(cedis["reference"], amount=100)


async def test_it_goes_its_way_by_itself(receiver: Receiver) -> None:
    async with sandbox(webhook_url=receiver.url, refund_seconds=0.03) as merchant:
        paid = await merchant.paid()
        refund = await merchant.refund(paid["reference"], amount=1_000, currency="NGN")
        await receiver.wait(4)
        pending, processing, processed = (
            told(receiver, f"refund.{status}")[0] for status in ("pending", "processing", "processed")
        )
        assert pending == {
            "status": "pending",
            "transaction_reference": paid["reference"],
            "refund_reference": None,
            "amount": "1000",
            "currency": "NGN",
            "processor": "instant-transfer",
            "customer": {"first_name": None, "last_name": None, "email": "ada@example.com"},
            "integration": refund["integration"],
            "domain": "test",
        }
        assert processing == pending | {"status": "processing"}
        assert processed == pending | {"status": "processed", "refund_reference": processed["refund_reference"]}
        assert processed["refund_reference"].isdigit()
        assert (await merchant.verify(paid["reference"]))["status"] == "reversed"
        fetched = await merchant.get(f"/refund/{refund['id']}")
        assert (fetched["status"], fetched["fully_deducted"], fetched["deducted_amount"]) == ("processed", True, 1_000)
        assert fetched["refunded_at"] is not None
        again = await merchant.pay(paid["reference"])
        assert again.json()["code"] == "already_paid"


@pytest.mark.parametrize(
    ("card", "ending", "standing"),
    [("refund-fails", "failed", "success"), ("refund-needs-attention", "needs-attention", "reversal-pending")],
)
async def test_cards_whose_refunds_end_badly(receiver: Receiver, card: str, ending: str, standing: str) -> None:
    async with sandbox(webhook_url=receiver.url, refund_seconds=0.02) as merchant:
        paid = await merchant.paid(card=card)
        refund = await merchant.refund(paid["reference"])
        await receiver.wait(4)
        (notice,) = told(receiver, f"refund.{ending}")
        assert notice["amount"] == 250_000  # a number here, a string in the others
        assert notice["refund_reference"].startswith("TRF_")
        assert (notice.get("id") == str(refund["id"])) == (ending == "needs-attention")
        assert ("processor" in notice) == (ending == "failed")
        assert (await merchant.verify(paid["reference"]))["status"] == standing


async def test_a_refund_that_needs_attention_is_retried(merchant: Merchant, receiver: Receiver) -> None:
    paid = await merchant.paid()
    refund = await merchant.refund(paid["reference"])
    path = f"/refund/retry_with_customer_details/{refund['id']}"
    answer = await merchant.call("POST", path, json=ACCOUNT)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_params")
    assert answer.json()["message"] == 'Invalid Refund state, refund status should be "needs-attention"'
    await merchant.order(f"refunds/{refund['id']}", outcome="needs-attention")
    for wrong in ({}, {"refund_account_details": {"currency": "NGN"}}):
        assert (await merchant.call("POST", path, json=wrong)).status_code == 400
    other = {"refund_account_details": ACCOUNT["refund_account_details"] | {"currency": "GHS"}}
    assert (await merchant.call("POST", path, json=other)).status_code == 400
    answer = await merchant.call("POST", path, json=ACCOUNT)
    assert answer.json()["message"] == "Refund retried and has been queued for processing"
    assert answer.json()["data"]["status"] == "processing"
    assert (await merchant.call("POST", path, json=ACCOUNT)).status_code == 422
    await receiver.wait(4)
    assert len(told(receiver, "refund.processing")) == 1
    unknown = await merchant.call("POST", "/refund/retry_with_customer_details/1", json=ACCOUNT)
    assert (unknown.status_code, unknown.json()["message"]) == (404, "Refund not found")


async def test_a_script_says_what_becomes_of_it(merchant: Merchant, receiver: Receiver) -> None:
    paid = await merchant.paid()
    refund = await merchant.refund(paid["reference"], amount=5)
    path = f"refunds/{refund['id']}"
    for _ in range(2):  # the second changes nothing, and raises nothing
        assert (await merchant.order(path, outcome="processing")).json()["data"]["status"] == "processing"
    assert (await merchant.order(path, outcome="processed", deliveries=3)).json()["data"]["status"] == "processed"
    assert len(await receiver.wait(6)) == 6
    assert len(told(receiver, "refund.processed")) == 3
    for outcome in ("failed", "processed"):
        answer = await merchant.order(path, outcome=outcome)
        assert (answer.status_code, answer.json()["code"]) == (409, "refund_is_over")
    assert (await merchant.order("refunds/1", outcome="failed")).status_code == 404
    assert (await merchant.order(f"refunds/{2**63}", outcome="failed")).status_code == 422
    for nonsense in ({}, {"outcome": "pending"}, {"outcome": "failed", "deliveries": -1}):
        assert (await merchant.order(path, **nonsense)).status_code == 422


async def test_the_transaction_stands_as_all_its_refunds_do(shared: Merchant) -> None:
    paid = await shared.paid()
    first, second = [(await shared.refund(paid["reference"], amount=100))["id"] for _ in range(2)]

    async def standing(number: int, outcome: str) -> str:
        await shared.order(f"refunds/{number}", outcome=outcome)
        return str((await shared.verify(paid["reference"]))["status"])

    assert await standing(first, "processed") == "reversal-pending"
    assert await standing(second, "failed") == "reversed"
    third = (await shared.refund(paid["reference"], amount=100))["id"]
    assert await standing(third, "needs-attention") == "reversal-pending"
    assert await standing(third, "failed") == "reversed"


async def test_two_equal_refunds_are_told_in_the_same_bytes(merchant: Merchant, receiver: Receiver) -> None:
    paid = await merchant.paid()
    first, second = [(await merchant.refund(paid["reference"], amount=100))["id"] for _ in range(2)]
    assert first != second
    for number in (first, second):
        for outcome in ("processing", "processed"):
            await merchant.order(f"refunds/{number}", outcome=outcome)
    received = await receiver.wait(7)
    assert len({(each.body, each.signature) for each in received if b"refund." in each.body}) == 3


async def test_list_and_fetch_differ_as_paystack_s_do(shared: Merchant) -> None:
    paid = await shared.paid()
    refund = await shared.refund(paid["reference"], amount=100)
    await shared.order(f"refunds/{refund['id']}", outcome="processed")
    fetched = await shared.get(f"/refund/{refund['id']}")
    (listed,) = await shared.get("/refund", transaction=paid["id"])
    assert (fetched["fully_deducted"], listed["fully_deducted"]) == (True, 1)
    assert "createdAt" in fetched
    assert "createdAt" not in listed
    assert fetched["createdAt"] == listed["created_at"]
    for each in (fetched, listed):
        assert (each["id"], each["transaction"], each["refund_type"]) == (refund["id"], paid["id"], "partial")


async def test_list() -> None:
    async with sandbox(refund_seconds=0) as merchant:
        one, other = await merchant.paid(), await merchant.paid()
        made = [(await merchant.refund(each["reference"], amount=10))["id"] for each in (one, one, other)]
        await merchant.order(f"refunds/{made[0]}", outcome="failed")

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


async def test_bad_weather_at_refunds(tmp_path: Path) -> None:
    """Over a real connection: a refund whose answer was lost is there, one that was refused is not."""
    async with running(tmp_path / "sandbox.db") as process:
        merchant = process.merchant
        paid = await merchant.paid()

        async def sent(mode: str) -> int | type[Exception]:
            fault = {"refund": {"mode": mode, "times": 1}}
            assert (await merchant.http.put("/sandbox/faults", json=fault)).status_code == 200
            headers = {"authorization": f"Bearer {KEY}"}
            body = {"transaction": paid["reference"], "amount": 10}
            try:
                return (await merchant.http.post("/refund", json=body, headers=headers, timeout=0.4)).status_code
            except httpx.TransportError as error:
                return type(error)

        assert await sent("timeout_before") is httpx.ReadTimeout
        assert await sent("error_500") == 500
        assert await merchant.get("/refund", transaction=paid["id"]) == []
        assert await sent("timeout_after_store") is httpx.ReadTimeout
        assert await sent("reset") is httpx.RemoteProtocolError
        assert len(await merchant.get("/refund", transaction=paid["id"])) == 2
        await merchant.http.put("/sandbox/faults", json={"refunds": {"mode": "rate_limited", "times": 1}})
        assert (await merchant.call("GET", "/refund")).status_code == 429
        assert (await merchant.call("GET", "/refund")).status_code == 200


async def test_a_restart_stops_no_refund(tmp_path: Path) -> None:
    database = tmp_path / "sandbox.db"
    async with running(database, SANDBOX_REFUND_SECONDS="0.5") as process:
        paid = await process.merchant.paid()
        await process.merchant.refund(paid["reference"])
    async with running(database, SANDBOX_REFUND_SECONDS="0.01") as process:
        await process.merchant.reaches(paid["reference"], "reversed")


@patiently
@given(
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(("transaction", "amount", "currency", "customer_note", "refund_account_details"), JSON),
    )
)
def test_any_json_is_read_or_refused(sent: dict[str, Any]) -> None:
    with contextlib.suppress(Refusal):
        asked({"transaction": "x"} | sent)
    with contextlib.suppress(Refusal):
        account_currency(sent)
