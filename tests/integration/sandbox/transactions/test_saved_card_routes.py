import asyncio
import json
from typing import Any

import httpx
import pytest

from tests.fakes.webhook_receiver import WebhookReceiver
from tests.fixtures.merchant import Merchant

CHARGE, DEACTIVATE = "/transaction/charge_authorization", "/customer/authorization/deactivate"


async def save_card(merchant: Merchant, email: str = "grace@example.com") -> str:
    """Pay with a card, and return its authorization code."""
    started = await merchant.start(email=email)
    response = await merchant.pay(started["reference"])
    return str(response.json()["data"]["authorization"]["authorization_code"])


async def charge_card(merchant: Merchant, code: Any, **more: Any) -> httpx.Response:
    fields = {"email": "grace@example.com", "amount": 100_000, "currency": "NGN", "authorization_code": code}
    return await merchant.call("POST", CHARGE, json=fields | more)


async def test_charge_of_a_saved_card_succeeds_and_sends_its_webhook(
    merchant: Merchant, receiver: WebhookReceiver
) -> None:
    code = await save_card(merchant)
    response = await charge_card(merchant, code, reference="monthly-1", metadata={"month": 1})
    assert (response.status_code, response.json()["message"]) == (200, "Charge attempted")
    charged = response.json()["data"]
    assert (charged["status"], charged["gateway_response"], charged["amount"]) == ("success", "Approved", 100_000)
    assert charged["authorization"]["authorization_code"] == code
    webhook = json.loads((await receiver.wait(2))[-1].body)["data"]
    assert (webhook["reference"], webhook["source"]["entry_point"]) == ("monthly-1", "charge")
    assert (await merchant.verify("monthly-1"))["id"] == charged["id"]
    assert (await charge_card(merchant, code, email="Grace@Example.com")).status_code == 200


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"authorization_code": "AUTH_unknown"}, "invalid_params"),
        ({"authorization_code": None}, "invalid_params"),
        ({"authorization_code": 7}, "invalid_params"),
        ({"email": "someone@example.com"}, "invalid_params"),
        ({"email": None}, "missing_params"),
        ({"amount": 1.5}, "invalid_amount"),
        ({"currency": "EUR"}, "unsupported_currency"),
    ],
)
async def test_charge_with_an_invalid_field_creates_no_transaction(
    shared_merchant: Merchant, fields: dict[str, Any], code: str
) -> None:
    card = await save_card(shared_merchant)
    response = await charge_card(shared_merchant, **{"code": card, "reference": f"refused-{id(fields)}"} | fields)
    assert (response.status_code, response.json()["code"]) == (400, code)
    assert (await charge_card(shared_merchant, card, reference=f"refused-{id(fields)}")).status_code == 200


async def test_concurrent_charges_with_one_reference_charge_once(shared_merchant: Merchant) -> None:
    card = await save_card(shared_merchant)
    responses = await asyncio.gather(*(charge_card(shared_merchant, card, reference="only-once") for _ in range(5)))
    assert sorted(response.status_code for response in responses) == [200] + [400] * 4
    assert {response.json().get("code") for response in responses} == {None, "duplicate_reference"}


async def test_charge_of_a_deactivated_card_is_refused_until_it_is_saved_again(shared_merchant: Merchant) -> None:
    code = await save_card(shared_merchant, "ida@example.com")
    response = await shared_merchant.call("POST", DEACTIVATE, json={"authorization_code": code})
    assert response.json() == {"status": True, "message": "Authorization has been deactivated"}
    assert (await charge_card(shared_merchant, code, email="ida@example.com")).status_code == 400
    again = await shared_merchant.call("POST", DEACTIVATE, json={"authorization_code": code})
    assert (again.status_code, again.json()["message"]) == (404, "Authorization code not found.")
    assert (await shared_merchant.call("POST", DEACTIVATE, json={})).status_code == 400
    assert await save_card(shared_merchant, "ida@example.com") == code
    assert (await charge_card(shared_merchant, code, email="ida@example.com")).status_code == 200


async def test_charge_with_a_saved_card_fault_is_declined_or_paused(merchant: Merchant) -> None:
    code = await save_card(merchant)
    await merchant.http.put("/sandbox/faults", json={"saved_cards": "declined"})
    declined = (await charge_card(merchant, code)).json()["data"]
    assert (declined["status"], declined["gateway_response"]) == ("failed", "Declined")
    await merchant.http.put("/sandbox/faults", json={"saved_cards": "paused"})
    paused = (await charge_card(merchant, code)).json()["data"]
    assert paused["paused"] is True
    assert (await merchant.verify(paused["reference"]))["status"] == "abandoned"
    assert (await merchant.http.get(paused["authorization_url"])).status_code == 200
    assert (await merchant.pay(paused["reference"])).status_code == 200


@pytest.mark.parametrize(
    ("balance", "at_least", "paid"),
    [
        (None, None, 250_000),
        (100_000, None, 100_000),
        (100_000, "100000", 100_000),
        (300_000, "100000", 250_000),
        (99_999, "100000", None),
        (0, None, None),
    ],
)
async def test_partial_debit_charges_what_the_account_has(
    merchant: Merchant, receiver: WebhookReceiver, balance: int | None, at_least: str | None, paid: int | None
) -> None:
    card = (await merchant.paid())["authorization"]["authorization_code"]
    await receiver.wait(1)
    await merchant.http.put("/sandbox/faults", json={"saved_card_balance": balance})
    body = {"email": "ada@example.com", "amount": 250_000, "currency": "NGN", "authorization_code": card}
    response = await merchant.call("POST", "/transaction/partial_debit", json=body | {"at_least": at_least})
    data = response.json()["data"]
    assert (response.status_code, data["requested_amount"]) == (200, 250_000)
    if paid is None:
        assert (data["status"], data["gateway_response"]) == ("failed", "Insufficient funds")
        return
    assert (data["status"], data["amount"]) == ("success", paid)
    webhook = json.loads((await receiver.wait(2))[1].body)["data"]
    assert (webhook["amount"], webhook["requested_amount"]) == (paid, 250_000)


async def test_charge_of_more_than_the_account_has_is_declined(isolated_merchant: Merchant) -> None:
    card = (await isolated_merchant.paid())["authorization"]["authorization_code"]
    await isolated_merchant.http.put("/sandbox/faults", json={"saved_card_balance": 100})
    body = {"email": "ada@example.com", "currency": "NGN", "authorization_code": card}
    outcomes = []
    for amount in (100, 101):
        charge = await isolated_merchant.call(
            "POST", "/transaction/charge_authorization", json=body | {"amount": amount}
        )
        outcomes.append((charge.json()["data"]["status"], charge.json()["data"]["gateway_response"]))
    assert outcomes == [("success", "Approved"), ("failed", "Insufficient funds")]


@pytest.mark.parametrize(
    "changed", [{"currency": "GHS"}, {"currency": None}, {"email": "b@example.com"}, {"at_least": "much"}]
)
async def test_partial_debit_that_cannot_be_made_is_refused(
    shared_merchant: Merchant, changed: dict[str, str | None]
) -> None:
    card = (await shared_merchant.paid())["authorization"]["authorization_code"]
    body = {"email": "ada@example.com", "amount": 100, "currency": "NGN", "authorization_code": card}
    response = await shared_merchant.call("POST", "/transaction/partial_debit", json=body | changed)
    assert (response.status_code, response.json()["status"]) == (400, False)
