from sandbox.transactions.fees import calculate_fees
from tests.fixtures.merchant import Merchant
from tests.fixtures.sandbox import in_process_sandbox


async def test_paid_transactions_when_settled_are_in_one_settlement() -> None:
    async with in_process_sandbox() as merchant:
        paid = [await merchant.paid() for _ in range(3)]
        await merchant.start()
        cedis = await merchant.start(currency="GHS", amount=5_000)
        await merchant.pay(cedis["reference"])
        refund = await merchant.refund(paid[0]["reference"], amount=1_000)
        await merchant.control(f"refunds/{refund['id']}", outcome="processed")
        fees = 3 * (calculate_fees(250_000, "NGN") or 0)

        totals = await merchant.get("/transaction/totals")
        assert (totals["total_transactions"], totals["total_volume"]) == (4, 750_000)
        assert totals["total_volume_by_currency"] == [
            {"currency": "GHS", "amount": 5_000},
            {"currency": "NGN", "amount": 750_000},
        ]
        assert totals["pending_transfers"] == 750_000 - fees

        made = (await merchant.control("settlements")).json()["data"]
        naira = next(each for each in made if each["currency"] == "NGN")
        assert naira["total_processed"] == 750_000
        assert (naira["total_fees"], naira["total_amount"]) == (fees, 750_000 - fees)
        assert (naira["deductions"], naira["effective_amount"]) == (1_000, 749_000 - fees)
        assert (await merchant.control("settlements")).json()["data"] == []
        assert (await merchant.get("/transaction/totals"))["pending_transfers"] == 0
        assert (await merchant.get(f"/refund/{refund['id']}"))["settlement"] == naira["id"]

        assert await merchant.get("/settlement") == made[::-1]
        assert await merchant.get("/settlement", perPage=1, page=2) == made[:1]
        assert await merchant.get("/settlement", **{"from": "2999-01-01"}) == []
        body = (await merchant.call("GET", f"/settlement/{naira['id']}/transactions")).json()
        assert [each["id"] for each in body["data"]] == [each["id"] for each in paid[::-1]]
        assert (body["meta"]["total"], body["meta"]["total_volume"]) == (3, 750_000)
        assert len(await merchant.get("/transaction", settlement=naira["id"])) == 3


async def test_refunds_above_the_payout_are_deducted_from_the_next() -> None:
    async with in_process_sandbox() as merchant:
        small = await merchant.paid(amount=1_000)
        await merchant.control("settlements")
        for _ in range(2):
            number = (await merchant.refund(small["reference"], amount=500))["id"]
            await merchant.control(f"refunds/{number}", outcome="processed")
        await merchant.paid(amount=600)
        first = (await merchant.control("settlements")).json()["data"][0]
        assert first["deductions"] == 500
        await merchant.paid(amount=600)
        second = (await merchant.control("settlements")).json()["data"][0]
        assert second["deductions"] == 500
        assert second["id"] > first["id"]


async def test_transactions_of_an_unknown_settlement_are_not_found(shared_merchant: Merchant) -> None:
    for unknown in ("1", "x"):
        response = await shared_merchant.call("GET", f"/settlement/{unknown}/transactions")
        assert (response.status_code, response.json()["message"]) == (404, "Settlement not found")
