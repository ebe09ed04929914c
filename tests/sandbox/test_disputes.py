import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.disputes import request as requests
from sandbox.errors import Refusal
from tests.sandbox.conftest import sandbox
from tests.sandbox.merchant import ORIGIN, Merchant
from tests.sandbox.receiver import Receiver
from tests.sandbox.rubbish import JSON, patiently

PROOF = {
    "customer_email": "ada@example.com",
    "customer_name": "Ada",
    "customer_phone": "0800",
    "service_details": "a book",
}
ACCEPTED = {
    "resolution": "merchant-accepted",
    "message": "We are sorry",
    "refund_amount": 100_000,
    "uploaded_filename": "a.pdf",
}


async def opened(merchant: Merchant, reference: str, **more: Any) -> dict[str, Any]:
    answer = await merchant.order("disputes", reference=reference, **more)
    assert answer.status_code == 200, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


async def test_a_payer_complains(merchant: Merchant, receiver: Receiver) -> None:
    paid = await merchant.paid()
    dispute = await opened(merchant, paid["reference"], message="No book came")
    assert (dispute["status"], dispute["resolution"], dispute["refund_amount"]) == (
        "awaiting-merchant-feedback",
        None,
        250_000,
    )
    notice = json.loads((await receiver.wait(2))[-1].body)
    assert notice["event"] == "charge.dispute.create"
    data = notice["data"]
    assert (data["id"], data["transaction"]["id"], data["last4"]) == (dispute["id"], paid["id"], "4081")
    assert data["messages"][0]["body"] == "No book came"
    assert (data["created_at"], data["transaction"]["authorization"]) == (dispute["createdAt"], {})
    assert "createdAt" not in data
    assert (await merchant.verify(paid["reference"]))["status"] == "success"
    assert await merchant.get(f"/dispute/{dispute['id']}") == dispute
    told = await merchant.get(f"/dispute/transaction/{paid['id']}")
    assert (told["id"], told["messages"][0]["dispute"]) == (dispute["id"], dispute["id"])


async def test_silence_is_consent() -> None:
    async with Receiver() as receiver, sandbox(webhook_url=receiver.url, time_scale=0.004) as merchant:
        paid = await merchant.paid()
        dispute = await opened(merchant, paid["reference"])  # an hour is 20 ms
        await merchant.reaches(paid["reference"], "reversed")
        await merchant.webhooks(pending=0)
        notices = [json.loads(each.body) for each in receiver.received]
        reminders = [each["data"] for each in notices if each["event"] == "charge.dispute.remind"]
        assert len(reminders) == 3
        assert len({each["updated_at"] for each in reminders}) == 3
        assert {each["id"] for each in reminders} == {dispute["id"]}
        (settled,) = [each["data"] for each in notices if each["event"] == "charge.dispute.resolve"]
        assert (settled["status"], settled["resolution"]) == ("resolved", "auto-accepted")
        assert settled["transaction"]["status"] == "reversed"
        (refund,) = await merchant.get("/refund", transaction=paid["id"])
        assert (refund["dispute"], refund["amount"], refund["status"]) == (dispute["id"], 250_000, "processed")


async def test_the_merchant_accepts(merchant: Merchant, receiver: Receiver) -> None:
    paid = await merchant.paid()
    dispute = await opened(merchant, paid["reference"])
    answer = await merchant.call("PUT", f"/dispute/{dispute['id']}/resolve", json=ACCEPTED)
    assert (answer.status_code, answer.json()["message"]) == (200, "Dispute successfully resolved")
    resolved = answer.json()["data"]
    assert (resolved["status"], resolved["resolution"], resolved["transaction"]) == (
        "resolved",
        "merchant-accepted",
        paid["id"],
    )
    assert resolved["message"]["body"] == "We are sorry"
    await receiver.wait(3)
    assert [each["amount"] for each in await merchant.get("/refund", transaction=paid["id"])] == [100_000]
    again = await merchant.call("PUT", f"/dispute/{dispute['id']}/resolve", json=ACCEPTED)
    assert (again.status_code, again.json()["message"]) == (400, "This dispute no longer waits for the merchant")
    assert (await merchant.order(f"disputes/{dispute['id']}", outcome="remind")).status_code == 409


async def test_the_merchant_declines_and_the_bank_agrees(merchant: Merchant, receiver: Receiver) -> None:
    paid = await merchant.paid()
    dispute = await opened(merchant, paid["reference"])
    path = f"/dispute/{dispute['id']}"
    evidence = await merchant.call("POST", f"{path}/evidence", json=PROOF)
    assert evidence.json()["message"] == "Evidence created"
    assert evidence.json()["data"].items() >= (PROOF | {"dispute": dispute["id"]}).items()
    declined = await merchant.call("PUT", f"{path}/resolve", json=ACCEPTED | {"resolution": "declined"})
    assert declined.json()["data"]["status"] == "awaiting-bank-feedback"
    await receiver.wait(3)  # four hours are 200 ms
    assert json.loads(receiver.received[-1].body)["data"]["resolution"] == "declined"
    assert (await merchant.verify(paid["reference"]))["status"] == "success"
    assert await merchant.get("/refund", transaction=paid["id"]) == []
    assert (await merchant.get(path))["evidence"] is not None


async def test_a_sum_may_be_changed_and_a_file_uploaded(shared: Merchant) -> None:
    paid = await shared.paid()
    path = f"/dispute/{(await opened(shared, paid['reference']))['id']}"
    upload = await shared.get(f"{path}/upload_url", upload_filename="receipt.pdf")
    address = upload["signedUrl"].removeprefix(ORIGIN)
    assert (await shared.http.put(address, content=b"%PDF")).status_code == 200
    assert (await shared.http.put(address.replace("signature=", "signature=0"))).status_code == 403
    assert (await shared.http.put(address.replace("expires=1", "expires=2"))).status_code == 403
    answer = await shared.call("PUT", path, json={"refund_amount": 5, "uploaded_filename": upload["fileName"]})
    assert answer.json()["message"] == "Dispute updated successfully"
    assert (answer.json()["data"]["refund_amount"], answer.json()["data"]["attachments"]) == (5, upload["fileName"])
    answer = await shared.call("PUT", path, json={"refund_amount": 250_001})
    assert (answer.status_code, answer.json()["message"]) == (
        400,
        "Refund amount cannot be greater than initial amount",
    )
    assert (await shared.get(f"{path}/upload_url"))["fileName"] != upload["fileName"]


async def test_a_script_is_the_bank(merchant: Merchant, receiver: Receiver) -> None:
    paid = await merchant.paid()
    dispute = await opened(merchant, paid["reference"], amount=7, category="fraud", deliveries=0)
    path = f"disputes/{dispute['id']}"
    await merchant.order(path, outcome="remind", deliveries=2)
    settled = (await merchant.order(path, outcome="merchant-accepted")).json()["data"]
    assert (settled["status"], settled["resolution"], settled["category"]) == ("resolved", "merchant-accepted", "fraud")
    await receiver.wait(4)
    assert (await merchant.order(path, outcome="declined")).json()["code"] == "dispute_is_over"
    assert (await merchant.order("disputes/1", outcome="remind")).status_code == 404
    assert (await merchant.order(f"disputes/{2**63}", outcome="remind")).status_code == 422
    await opened(merchant, paid["reference"], amount=250_000 - 7)  # the rest of it
    categories = {each["category"] for each in await merchant.get("/integration/webhooks/events")}
    assert categories == {"dispute", "transactions"}


async def test_what_cannot_be_disputed(shared: Merchant) -> None:
    unpaid, paid = await shared.start(), await shared.paid()
    cases: list[tuple[str, dict[str, Any], int, str]] = [
        ("nobody-knows", {}, 404, "transaction_not_found"),
        (unpaid["reference"], {}, 409, "nothing_to_dispute"),
        (paid["reference"], {"amount": 250_001}, 409, "nothing_to_dispute"),
        (paid["reference"], {"hours": 0}, 422, "invalid_params"),
        (paid["reference"], {"message": ""}, 422, "invalid_params"),
    ]
    for reference, more, status, code in cases:
        answer = await shared.order("disputes", reference=reference, **more)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    surrogate = json.dumps({"reference": paid["reference"], "message": "\ud800"}).encode()
    headers = {"content-type": "application/json"}
    assert (await shared.http.post("/sandbox/disputes", content=surrogate, headers=headers)).status_code == 422
    await opened(shared, paid["reference"])
    assert (await shared.order("disputes", reference=paid["reference"])).json()["code"] == "already_disputed"


async def test_list() -> None:
    async with sandbox() as merchant:
        paid = [await merchant.paid() for _ in range(3)]
        made = [(await opened(merchant, each["reference"]))["id"] for each in paid]
        await merchant.order(f"disputes/{made[0]}", outcome="auto-accepted")

        async def listed(**query: str | int) -> list[int]:
            return [each["id"] for each in await merchant.get("/dispute", **query)]

        assert await listed() == made[::-1]
        assert await listed(status="resolved") == made[:1]
        assert await listed(transaction=paid[1]["id"]) == made[1:2]
        assert await listed(transaction=paid[1]["reference"]) == []
        assert await listed(perPage=2, page=2) == made[:1]
        assert await listed(**{"from": "2999-01-01"}) == []
        meta = (await merchant.call("GET", "/dispute")).json()["meta"]
        assert meta == {"total": 3, "skipped": 0, "perPage": 50, "page": 1, "pageCount": 1}
        assert (await merchant.call("GET", "/dispute?status=archived")).status_code == 400


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/dispute/1"),
        ("GET", "/dispute/x"),
        ("GET", "/dispute/transaction/1"),
        ("GET", "/dispute/1/upload_url?upload_filename=x"),
    ],
)
async def test_an_unknown_dispute(shared: Merchant, method: str, path: str) -> None:
    answer = await shared.call(method, path)
    assert (answer.status_code, answer.json()["message"]) == (404, "Dispute not found")


@pytest.mark.parametrize("missing", ["resolution", "message", "refund_amount", "uploaded_filename"])
async def test_an_answer_must_be_whole(shared: Merchant, missing: str) -> None:
    paid = await shared.paid()
    path = f"/dispute/{(await opened(shared, paid['reference']))['id']}/resolve"
    answer = await shared.call("PUT", path, json={each: value for each, value in ACCEPTED.items() if each != missing})
    assert answer.status_code == 400
    assert missing in answer.json()["message"]
    assert (await shared.call("PUT", path, json=ACCEPTED | {"resolution": "auto-accepted"})).status_code == 400


@patiently
@given(st.dictionaries(st.sampled_from([*ACCEPTED, *PROOF]), JSON))
def test_any_json_is_read_or_refused(sent: dict[str, Any]) -> None:
    for read in (requests.answer, requests.evidence, requests.refund_amount, requests.filename):
        with contextlib.suppress(Refusal):
            read(ACCEPTED | PROOF | sent)
