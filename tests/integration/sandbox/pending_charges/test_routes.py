"""POST /charge, submit_otp and the check of a charge."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.fixtures.merchant import Merchant

PAYER = {"email": "ada@example.com", "amount": 250_000}


async def create(merchant: Merchant, **fields: Any) -> dict[str, Any]:
    response = await merchant.call("POST", "/charge", json=PAYER | fields)
    assert (response.status_code, response.json()["message"]) == (200, "Charge attempted"), response.text
    data: dict[str, Any] = response.json()["data"]
    return data


@pytest.mark.parametrize(
    ("fields", "status", "text"),
    [
        ({"ussd": {"type": "737"}}, "pay_offline", "Dial *737*"),
        ({"qr": {}, "currency": "ZAR"}, "pay_offline", "Scan"),
        ({"mobile_money": {"phone": "0551234987", "provider": "mtn"}, "currency": "GHS"}, "pay_offline", "phone"),
        ({"mobile_money": {"phone": "0700000000", "provider": "orange"}, "currency": "XOF"}, "send_otp", "code"),
        ({"bank_transfer": {}}, "pending", "Transfer NGN"),
    ],
)
async def test_charge_says_what_the_payer_has_to_do(
    shared_merchant: Merchant, fields: dict[str, Any], status: str, text: str
) -> None:
    charge = await create(shared_merchant, **fields)
    assert charge["status"] == status
    assert text in charge["display_text"]
    assert await shared_merchant.get(f"/charge/{charge['reference']}") == charge
    assert (await shared_merchant.verify(charge["reference"]))["status"] == "ongoing"


async def test_charge_after_the_approval_shows_the_paid_transaction(shared_merchant: Merchant) -> None:
    reference = (await create(shared_merchant, ussd={"type": "919"}))["reference"]
    await shared_merchant.control(f"transactions/{reference}/approve")
    charge = await shared_merchant.get(f"/charge/{reference}")
    assert (charge["status"], charge["channel"], charge["amount"]) == ("success", "ussd", 250_000)


async def test_one_wrong_code_ends_the_charge(shared_merchant: Merchant) -> None:
    orange = {"mobile_money": {"phone": "0700000000", "provider": "orange"}, "currency": "XOF"}
    outcomes = []
    for otp in ("9999", "1234"):
        reference = (await create(shared_merchant, **orange))["reference"]
        body = {"otp": otp, "reference": reference}
        outcomes.append((await shared_merchant.call("POST", "/charge/submit_otp", json=body)).json()["data"]["status"])
        again = await shared_merchant.call("POST", "/charge/submit_otp", json=body)
        assert (again.status_code, again.json()["status"]) == (400, False)
    assert outcomes == ["failed", "success"]


async def test_transfer_account_lives_until_the_requested_time(shared_merchant: Merchant) -> None:
    soon = datetime.now(UTC) + timedelta(milliseconds=300)
    reference = (await create(shared_merchant, bank_transfer={"account_expires_at": soon.isoformat()}))["reference"]
    await shared_merchant.wait_for_status(reference, "abandoned")
    assert datetime.now(UTC) >= soon
    assert (await shared_merchant.get(f"/charge/{reference}"))["status"] == "timeout"


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"ussd": {"type": "1"}},
        {"ussd": "737"},
        {"ussd": {"type": "737"}, "currency": "GHS"},
        {"ussd": {"type": "737"}, "bank_transfer": {}},
        {"mobile_money": {"provider": "mtn"}, "currency": "GHS"},
        {"mobile_money": {"phone": "0551234987", "provider": "wave"}, "currency": "GHS"},
        {"bank_transfer": {"account_expires_at": "tomorrow"}},
        {"bank_transfer": {"account_expires_at": "2020-01-01T00:00:00Z"}},
        {"bank_transfer": {}, "amount": 9_999},
        {"bank": {"code": "057", "account_number": "0000000000"}},
    ],
)
async def test_charge_that_cannot_be_made_is_refused_and_leaves_the_reference_free(
    shared_merchant: Merchant, fields: dict[str, Any]
) -> None:
    reference = f"refused-{abs(hash(repr(fields)))}"
    response = await shared_merchant.call("POST", "/charge", json=PAYER | {"reference": reference} | fields)
    assert (response.status_code, response.json()["status"]) == (400, False)
    assert (await shared_merchant.call("GET", f"/charge/{reference}")).status_code == 400
