import json
from typing import Any

import pytest

from tests.fixtures.merchant import ORIGIN, Merchant
from tests.fixtures.sandbox import in_process_sandbox

ACCEPTED = {
    "resolution": "merchant-accepted",
    "message": "We are sorry",
    "refund_amount": 100_000,
    "uploaded_filename": "a.pdf",
}


async def open_dispute(merchant: Merchant, reference: str, **more: Any) -> dict[str, Any]:
    response = await merchant.control("disputes", reference=reference, **more)
    assert response.status_code == 200, response.text
    data: dict[str, Any] = response.json()["data"]
    return data


async def test_update_with_an_amount_and_an_uploaded_file_changes_the_dispute(shared_merchant: Merchant) -> None:
    paid = await shared_merchant.paid()
    path = f"/dispute/{(await open_dispute(shared_merchant, paid['reference']))['id']}"
    upload = await shared_merchant.get(f"{path}/upload_url", upload_filename="receipt.pdf")
    address = upload["signedUrl"].removeprefix(ORIGIN)
    assert (await shared_merchant.http.put(address, content=b"%PDF")).status_code == 200
    assert (await shared_merchant.http.put(address.replace("signature=", "signature=0"))).status_code == 403
    assert (await shared_merchant.http.put(address.replace("expires=1", "expires=2"))).status_code == 403
    response = await shared_merchant.call(
        "PUT", path, json={"refund_amount": 5, "uploaded_filename": upload["fileName"]}
    )
    assert response.json()["message"] == "Dispute updated successfully"
    assert (response.json()["data"]["refund_amount"], response.json()["data"]["attachments"]) == (5, upload["fileName"])
    response = await shared_merchant.call("PUT", path, json={"refund_amount": 250_001})
    assert (response.status_code, response.json()["message"]) == (
        400,
        "Refund amount cannot be greater than initial amount",
    )
    assert (await shared_merchant.get(f"{path}/upload_url"))["fileName"] != upload["fileName"]


async def test_dispute_of_an_invalid_transaction_is_refused(shared_merchant: Merchant) -> None:
    unpaid, paid = await shared_merchant.start(), await shared_merchant.paid()
    cases: list[tuple[str, dict[str, Any], int, str]] = [
        ("no-such-reference", {}, 404, "transaction_not_found"),
        (unpaid["reference"], {}, 409, "nothing_to_dispute"),
        (paid["reference"], {"amount": 250_001}, 409, "nothing_to_dispute"),
        (paid["reference"], {"hours": 0}, 422, "invalid_params"),
        (paid["reference"], {"message": ""}, 422, "invalid_params"),
    ]
    for reference, more, status, code in cases:
        response = await shared_merchant.control("disputes", reference=reference, **more)
        assert (response.status_code, response.json()["code"]) == (status, code)
    surrogate = json.dumps({"reference": paid["reference"], "message": "\ud800"}).encode()
    headers = {"content-type": "application/json"}
    assert (await shared_merchant.http.post("/sandbox/disputes", content=surrogate, headers=headers)).status_code == 422
    await open_dispute(shared_merchant, paid["reference"])
    assert (await shared_merchant.control("disputes", reference=paid["reference"])).json()["code"] == "already_disputed"


async def test_list_with_filters_and_pages_returns_the_matching_disputes() -> None:
    async with in_process_sandbox() as merchant:
        paid = [await merchant.paid() for _ in range(3)]
        made = [(await open_dispute(merchant, each["reference"]))["id"] for each in paid]
        await merchant.control(f"disputes/{made[0]}", outcome="auto-accepted")

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
async def test_call_for_an_unknown_dispute_is_not_found(shared_merchant: Merchant, method: str, path: str) -> None:
    response = await shared_merchant.call(method, path)
    assert (response.status_code, response.json()["message"]) == (404, "Dispute not found")


@pytest.mark.parametrize("missing", ["resolution", "message", "refund_amount", "uploaded_filename"])
async def test_response_without_a_required_field_is_refused(shared_merchant: Merchant, missing: str) -> None:
    paid = await shared_merchant.paid()
    path = f"/dispute/{(await open_dispute(shared_merchant, paid['reference']))['id']}/resolve"
    response = await shared_merchant.call(
        "PUT", path, json={each: value for each, value in ACCEPTED.items() if each != missing}
    )
    assert response.status_code == 400
    assert missing in response.json()["message"]
    assert (await shared_merchant.call("PUT", path, json=ACCEPTED | {"resolution": "auto-accepted"})).status_code == 400
