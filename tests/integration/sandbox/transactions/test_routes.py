import re

import pytest

from tests.fixtures.merchant import Merchant
from tests.fixtures.sandbox import in_process_sandbox

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


async def test_verify_of_an_unpaid_transaction_is_abandoned(shared_merchant: Merchant) -> None:
    started = await shared_merchant.start(amount=500_000)
    transaction = await shared_merchant.verify(started["reference"])
    assert transaction["status"] == "abandoned"
    assert transaction["authorization"] == {}
    assert transaction["paid_at"] is transaction["paidAt"] is transaction["fees"] is None
    assert INSTANT.fullmatch(transaction["created_at"])
    assert (transaction["amount"], transaction["requested_amount"], transaction["domain"]) == (500_000, 500_000, "test")


async def test_verify_of_a_paid_transaction_has_fees_card_and_customer(shared_merchant: Merchant) -> None:
    started = await shared_merchant.start(amount=500_000)
    response = await shared_merchant.pay(started["reference"])
    assert response.status_code == 200
    transaction = await shared_merchant.verify(started["reference"])
    assert response.json()["data"] == transaction
    assert (transaction["status"], transaction["gateway_response"]) == ("success", "Successful")
    assert (transaction["fees"], transaction["channel"]) == (17_500, "card")
    assert [each["type"] for each in transaction["log"]["history"]] == ["action", "success"]
    assert transaction["id"] > 2**32
    assert INSTANT.fullmatch(transaction["paid_at"])
    card = transaction["authorization"]
    assert card["authorization_code"].startswith("AUTH_")
    assert (card["last4"], card["reusable"], card["country_code"]) == ("4081", True, "NG")
    assert transaction["customer"]["customer_code"].startswith("CUS_")


async def test_two_payments_of_a_payer_have_the_same_customer_and_card(shared_merchant: Merchant) -> None:
    seen = []
    for _ in range(2):
        started = await shared_merchant.start()
        seen.append((await shared_merchant.pay(started["reference"])).json()["data"])
    assert seen[0]["customer"] == seen[1]["customer"]
    assert seen[0]["authorization"] == seen[1]["authorization"]
    assert seen[0]["id"] != seen[1]["id"]


async def test_verify_of_a_declined_transaction_is_failed(shared_merchant: Merchant) -> None:
    started = await shared_merchant.start()
    await shared_merchant.pay(started["reference"], outcome="failed")
    transaction = await shared_merchant.verify(started["reference"])
    assert (transaction["status"], transaction["gateway_response"]) == ("failed", "Declined")
    assert (transaction["authorization"], transaction["paid_at"], transaction["fees"]) == ({}, None, None)


async def test_verify_of_an_unknown_reference_is_refused(shared_merchant: Merchant) -> None:
    response = await shared_merchant.call("GET", "/transaction/verify/no-such-reference")
    assert response.status_code == 400
    assert response.json()["message"] == "Transaction reference not found."
    assert response.json()["code"] == "transaction_not_found"


async def test_fetch_by_anything_but_the_numeric_id_is_not_found(shared_merchant: Merchant) -> None:
    started = await shared_merchant.start()
    transaction = await shared_merchant.verify(started["reference"])
    fetched = (await shared_merchant.call("GET", f"/transaction/{transaction['id']}")).json()["data"]
    assert fetched["reference"] == started["reference"]
    for unknown in (started["reference"], "1", "9" * 40, "-1"):
        response = await shared_merchant.call("GET", f"/transaction/{unknown}")
        assert (response.status_code, response.json()["message"]) == (404, "Transaction not found")


async def test_list_with_filters_and_pages_returns_the_matching_transactions() -> None:
    async with in_process_sandbox() as merchant:
        started = [await merchant.start(email=f"payer{n % 2}@example.com", amount=100 + n) for n in range(7)]
        await merchant.pay(started[3]["reference"])

        async def listed(**query: str | int) -> tuple[list[str], dict[str, int]]:
            body = (await merchant.call("GET", "/transaction", params=query)).json()
            assert (body["status"], body["message"]) == (True, "Transactions retrieved")
            return [each["reference"] for each in body["data"]], body["meta"]

        newest_first = [each["reference"] for each in reversed(started)]
        references, meta = await listed()
        assert references == newest_first
        assert meta == {"total": 7, "total_volume": 721, "skipped": 0, "perPage": 50, "page": 1, "pageCount": 1}
        references, meta = await listed(perPage=3, page=3)
        assert references == newest_first[6:]
        assert (meta["skipped"], meta["pageCount"]) == (6, 3)
        assert (await listed(perPage=10**9))[1]["perPage"] == 100
        assert (await listed(status="success"))[0] == [started[3]["reference"]]
        assert (await listed(amount=102))[0] == [started[2]["reference"]]

        paid = await merchant.verify(started[3]["reference"])
        assert (await listed(customer=paid["customer"]["id"]))[0] == newest_first[1::2]
        assert (await listed(customer=paid["customer"]["customer_code"]))[0] == []
        until_then, _ = await listed(**{"from": "2020-01-01", "to": paid["created_at"]})
        assert until_then[-4:] == newest_first[-4:]  # and possibly others of the same millisecond
        assert (await listed(**{"from": "2999-01-01T00:00:00Z"}))[0] == []


@pytest.mark.parametrize(
    "query", ["perPage=x", "page=-1", "amount=1.5", "status=paid", "from=yesterday", "to=99999-01-01"]
)
async def test_list_with_an_invalid_query_is_refused(shared_merchant: Merchant, query: str) -> None:
    response = await shared_merchant.call("GET", f"/transaction?{query}")
    assert (response.status_code, response.json()["code"]) == (400, "invalid_params")


async def test_ids_after_a_lost_database_are_larger_than_before() -> None:
    """A sandbox with an empty database must not give out ids of an earlier database, because ids identify webhooks."""
    ids = []
    for _ in range(2):
        async with in_process_sandbox() as merchant:
            started = await merchant.start()
            ids.append((await merchant.verify(started["reference"]))["id"])
    assert ids[0] < ids[1]


async def test_unknown_path_or_method_is_not_found(shared_merchant: Merchant) -> None:
    response = await shared_merchant.call("GET", "/nowhere")
    assert (response.status_code, response.json()) == (
        404,
        {"status": False, "message": "Not Found", "type": "validation_error"},
    )
    assert (await shared_merchant.call("DELETE", "/transaction/initialize")).status_code == 404
    assert (await shared_merchant.http.get("/livez")).status_code == 200
    assert (await shared_merchant.http.get("/readyz")).status_code == 200
    paths = (await shared_merchant.http.get("/openapi.json")).json()["paths"]
    assert "/sandbox/transactions/{reference}/pay" in paths
    assert "transaction" in {each["name"] for each in paths["/refund"]["get"]["parameters"]}


async def test_list_with_cursors_returns_every_transaction_once() -> None:
    async with in_process_sandbox() as merchant:
        made = [(await merchant.paid())["id"] for _ in range(5)][::-1]
        seen: list[int] = []
        query = {"use_cursor": "true", "perPage": "2"}
        while True:
            body = (await merchant.call("GET", "/transaction", params=query)).json()
            assert body["meta"].keys() == {"next", "previous", "perPage"}
            seen += [each["id"] for each in body["data"]]
            if body["meta"]["next"] is None:
                break
            await merchant.paid()  # newer transactions do not change the following pages
            query |= {"next": body["meta"]["next"]}
        assert seen == made
        back = {"use_cursor": "true", "perPage": "3", "previous": body["meta"]["previous"]}
        assert [each["id"] for each in await merchant.get("/transaction", **back)] == made[1:4]
        assert len(await merchant.get("/transaction", use_cursor="true", channel="card", per_page=6)) == 6
        assert await merchant.get("/transaction", use_cursor="true", channel="ussd") == []
        assert (await merchant.call("GET", "/transaction?use_cursor=true&next=x")).status_code == 400


async def test_timeline_after_attempts_lists_them(shared_merchant: Merchant) -> None:
    started = await shared_merchant.start()
    path = f"/transaction/timeline/{started['reference']}"
    assert (await shared_merchant.get(path))["history"] == []
    assert (await shared_merchant.verify(started["reference"]))["log"] is None
    await shared_merchant.pay(started["reference"], outcome="failed")
    await shared_merchant.pay(started["reference"])
    timeline = await shared_merchant.get(path)
    assert (timeline["attempts"], timeline["errors"], timeline["success"]) == (2, 1, True)
    assert [each["type"] for each in timeline["history"]] == ["action", "error", "action", "success"]
    paid = await shared_merchant.verify(started["reference"])
    assert paid["log"] == timeline == await shared_merchant.get(f"/transaction/timeline/{paid['id']}")
    response = await shared_merchant.call("GET", "/transaction/timeline/no-such-reference")
    assert (response.status_code, response.json()["message"]) == (404, "Transaction ID or reference is invalid")


async def test_timeline_after_many_attempts_keeps_the_latest(shared_merchant: Merchant) -> None:
    started = await shared_merchant.start()
    for _ in range(40):
        await shared_merchant.pay(started["reference"], outcome="failed")
    assert len((await shared_merchant.get(f"/transaction/timeline/{started['reference']}"))["history"]) == 60
