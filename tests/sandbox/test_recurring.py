import asyncio
import json
from typing import Any

import httpx
import pytest

from tests.sandbox.merchant import Merchant
from tests.sandbox.receiver import Receiver

CHARGE, DEACTIVATE = "/transaction/charge_authorization", "/customer/authorization/deactivate"


async def saved(merchant: Merchant, email: str = "grace@example.com") -> str:
    """The code of a card that a payer left behind."""
    started = await merchant.start(email=email)
    answer = await merchant.pay(started["reference"])
    return str(answer.json()["data"]["authorization"]["authorization_code"])


async def charge(merchant: Merchant, code: Any, **more: Any) -> httpx.Response:
    fields = {"email": "grace@example.com", "amount": 100_000, "currency": "NGN", "authorization_code": code}
    return await merchant.call("POST", CHARGE, json=fields | more)


async def test_a_saved_card_is_charged(merchant: Merchant, receiver: Receiver) -> None:
    code = await saved(merchant)
    answer = await charge(merchant, code, reference="monthly-1", metadata={"month": 1})
    assert (answer.status_code, answer.json()["message"]) == (200, "Charge attempted")
    charged = answer.json()["data"]
    assert (charged["status"], charged["gateway_response"], charged["amount"]) == ("success", "Approved", 100_000)
    assert charged["authorization"]["authorization_code"] == code
    notice = json.loads((await receiver.wait(2))[-1].body)["data"]
    assert (notice["reference"], notice["source"]["entry_point"]) == ("monthly-1", "charge")
    assert (await merchant.verify("monthly-1"))["id"] == charged["id"]
    assert (await charge(merchant, code, email="Grace@Example.com")).status_code == 200


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"authorization_code": "AUTH_nobody"}, "invalid_params"),
        ({"authorization_code": None}, "invalid_params"),
        ({"authorization_code": 7}, "invalid_params"),
        ({"email": "someone@example.com"}, "invalid_params"),
        ({"email": None}, "missing_params"),
        ({"amount": 1.5}, "invalid_amount"),
        ({"currency": "EUR"}, "unsupported_currency"),
    ],
)
async def test_a_refusal_makes_no_transaction(shared: Merchant, fields: dict[str, Any], code: str) -> None:
    card = await saved(shared)
    answer = await charge(shared, **{"code": card, "reference": f"refused-{id(fields)}"} | fields)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert (await charge(shared, card, reference=f"refused-{id(fields)}")).status_code == 200


async def test_a_reference_is_charged_once(shared: Merchant) -> None:
    card = await saved(shared)
    answers = await asyncio.gather(*(charge(shared, card, reference="only-once") for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 4
    assert {answer.json().get("code") for answer in answers} == {None, "duplicate_reference"}


async def test_a_card_that_is_out_of_use(shared: Merchant) -> None:
    code = await saved(shared, "ida@example.com")
    answer = await shared.call("POST", DEACTIVATE, json={"authorization_code": code})
    assert answer.json() == {"status": True, "message": "Authorization has been deactivated"}
    assert (await charge(shared, code, email="ida@example.com")).status_code == 400
    again = await shared.call("POST", DEACTIVATE, json={"authorization_code": code})
    assert (again.status_code, again.json()["message"]) == (404, "Authorization code not found.")
    assert (await shared.call("POST", DEACTIVATE, json={})).status_code == 400
    assert await saved(shared, "ida@example.com") == code
    assert (await charge(shared, code, email="ida@example.com")).status_code == 200


async def test_a_charge_may_be_declined_or_wait_for_the_payer(merchant: Merchant) -> None:
    code = await saved(merchant)
    await merchant.http.put("/sandbox/faults", json={"saved_cards": "declined"})
    declined = (await charge(merchant, code)).json()["data"]
    assert (declined["status"], declined["gateway_response"]) == ("failed", "Declined")
    await merchant.http.put("/sandbox/faults", json={"saved_cards": "paused"})
    paused = (await charge(merchant, code)).json()["data"]
    assert paused["paused"] is True
    assert (await merchant.verify(paused["reference"]))["status"] == "abandoned"
    assert (await merchant.http.get(paused["authorization_url"])).status_code == 200
    assert (await merchant.pay(paused["reference"])).status_code == 200
