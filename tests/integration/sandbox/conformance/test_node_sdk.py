"""Paystack's own Node SDK, unmodified but for its base URL, works against the sandbox: every call that both offer.

1.2.1-beta.1 is the newest version that contains code: 1.2.1 was published without any. The SDK hides the status and the code of a response.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.merchant import Merchant
from tests.fixtures.npm import RegistryUnreachable
from tests.fixtures.sandbox import SandboxProcess, sandbox_process
from tests.integration.sandbox.conformance.node_sdk import (
    SDK,
    NodeSdk,
    SdkError,
    install,
    node_sdk,
)

OPENING: dict[str, Any] = {"email": "ada@example.com", "amount": 250_000, "currency": "NGN"}
PROOF: dict[str, Any] = {
    "customer_email": "a@b.co",
    "customer_name": "A",
    "customer_phone": "1",
    "service_details": "a book",
}


@pytest.fixture(scope="module")
async def home() -> Path:
    try:
        return await asyncio.to_thread(install)
    except RegistryUnreachable as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
async def process(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SandboxProcess]:
    async with sandbox_process(
        tmp_path_factory.mktemp("sandbox") / "sandbox.db", SANDBOX_REFUND_SECONDS="0"
    ) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def merchant(process: SandboxProcess) -> Merchant:
    return process.merchant


@pytest.fixture(scope="module")
async def sdk(home: Path, process: SandboxProcess) -> AsyncIterator[NodeSdk]:
    async with node_sdk(home, str(process.merchant.http.base_url)) as calls:
        yield calls


def test_package_lock_of_the_sdk_has_hashes_and_no_addresses() -> None:
    packages = json.loads((SDK / "package-lock.json").read_text())["packages"]
    assert all(each["integrity"] and "resolved" not in each for path, each in packages.items() if path)


async def test_payment_by_sdk_from_initialize_to_totals_works(sdk: NodeSdk, merchant: Merchant) -> None:
    metadata = '{"order":42}'
    started = await sdk("transaction.initialize", **OPENING, reference="node-1", metadata=metadata, channels=["card"])
    assert (started["status"], started["message"]) == (True, "Authorization URL created")
    assert started["data"].keys() == {"authorization_url", "access_code", "reference"}
    unpaid = (await sdk("transaction.verify", reference="node-1"))["data"]
    assert (unpaid["status"], unpaid["authorization"], unpaid["metadata"]) == ("abandoned", {}, {"order": 42})
    await merchant.pay("node-1")
    paid = (await sdk("transaction.verify", reference="node-1"))["data"]
    assert (paid["status"], paid["amount"], paid["fees"]) == ("success", 250_000, 13_750)
    fetched = await sdk("transaction.fetch", id=paid["id"])
    assert (fetched["message"], fetched["data"]["reference"]) == ("Transaction retrieved", "node-1")
    for which in (paid["id"], "node-1"):
        timeline = (await sdk("transaction.timeline", id_or_reference=which))["data"]
        assert (timeline["success"], timeline["attempts"]) == (True, 1)
    since, until = "2020-01-01T00:00:00.000Z", "2100-01-01T00:00:00.000Z"
    listed = await sdk("transaction.list", perPage=1, page=1, **{"from": since, "to": until})
    assert [each["reference"] for each in listed["data"]] == ["node-1"]
    assert (await sdk("transaction.list", to=since))["data"] == []
    totals = (await sdk("transaction.totals", **{"from": since, "to": until}))["data"]
    assert (totals["total_transactions"], totals["total_volume"]) == (1, 250_000)


async def test_saved_card_by_sdk_is_charged_and_deactivated(sdk: NodeSdk, merchant: Merchant) -> None:
    card = (await merchant.paid())["authorization"]["authorization_code"]
    charged = await sdk("transaction.chargeAuthorization", **OPENING, authorization_code=card, reference="node-2")
    assert (charged["message"], charged["data"]["status"]) == ("Charge attempted", "success")
    assert charged["data"]["reference"] == "node-2"
    gone = await sdk("customer.deactivateAuthorization", authorization_code=card)
    assert gone == {"status": True, "message": "Authorization has been deactivated"}
    again = await sdk("transaction.chargeAuthorization", **OPENING, authorization_code=card)
    assert (again["status"], again["message"]) == (False, "Authorization code is not one that can be charged")


async def test_refund_by_sdk_is_created_fetched_and_listed(sdk: NodeSdk, merchant: Merchant) -> None:
    reference = (await merchant.paid())["reference"]
    made = await sdk("refund.create", transaction=reference, amount=1_000, currency="NGN", customer_note="Sorry")
    assert (made["message"], made["data"]["status"]) == ("Refund has been queued for processing", "pending")
    number = made["data"]["id"]
    await merchant.control(f"refunds/{number}", outcome="processed")
    fetched = (await sdk("refund.fetch", id=number))["data"]
    assert (fetched["status"], fetched["amount"], fetched["customer_note"]) == ("processed", 1_000, "Sorry")
    listed = (await sdk("refund.list", perPage=1, **{"from": "2020-01-01T00:00:00Z"}))["data"]
    assert [each["id"] for each in listed] == [number]
    whole = await sdk("refund.create", transaction=reference)
    assert whole["message"] == "Total refund amount cannot exceed original transaction amount"
    assert (await sdk("refund.fetch", id=1)) == {"status": False, "message": "Refund not found"}


async def test_dispute_by_sdk_is_fetched_updated_and_resolved(sdk: NodeSdk, merchant: Merchant) -> None:
    paid = await merchant.paid()
    number = (await merchant.control("disputes", reference=paid["reference"])).json()["data"]["id"]
    assert (await sdk("dispute.fetch", id=number))["data"]["status"] == "awaiting-merchant-feedback"
    listed = await sdk("dispute.list", transaction=paid["id"], status="awaiting-merchant-feedback", perPage=5)
    assert [each["id"] for each in listed["data"]] == [number]
    assert (await sdk("dispute.transaction", id=paid["id"]))["data"]["id"] == number
    upload = (await sdk("dispute.uploadUrl", id=number))["data"]
    assert (await merchant.http.put(upload["signedUrl"], content=b"%PDF")).status_code == 200
    file = {"uploaded_filename": upload["fileName"]}
    updated = (await sdk("dispute.update", id=number, refund_amount="100", **file))["data"]
    assert (updated["refund_amount"], updated["attachments"]) == (100, upload["fileName"])
    proof = (await sdk("dispute.evidence", id=number, **PROOF, delivery_date="2026-11-01"))["data"]
    assert (proof["dispute"], proof["delivery_date"]) == (number, "2026-11-01T00:00:00.000Z")
    verdict = {"resolution": "declined", "message": "It came", "refund_amount": "100", "evidence": proof["id"]}
    resolved = await sdk("dispute.resolve", id=number, **verdict, **file)
    assert (resolved["message"], resolved["data"]["status"]) == (
        "Dispute successfully resolved",
        "awaiting-bank-feedback",
    )


async def test_charge_by_sdk_is_created_checked_and_paid(sdk: NodeSdk, merchant: Merchant) -> None:
    body: dict[str, Any] = {"email": "ada@example.com", "amount": 250_000}
    created = (await sdk("charge.create", **body, ussd={"type": "737"}))["data"]
    assert created["status"] == "pay_offline"
    assert (await sdk("charge.check", reference=created["reference"]))["data"] == created
    await merchant.control(f"transactions/{created['reference']}/approve")
    assert (await sdk("charge.check", reference=created["reference"]))["data"]["status"] == "success"


async def test_partial_debit_by_sdk_charges_the_card(sdk: NodeSdk, merchant: Merchant) -> None:
    card = (await merchant.paid())["authorization"]["authorization_code"]
    charged = (await sdk("transaction.partialDebit", **OPENING, authorization_code=card, at_least="1"))["data"]
    assert (charged["status"], charged["requested_amount"]) == ("success", 250_000)


async def test_session_timeout_by_sdk_is_read(sdk: NodeSdk) -> None:
    found = await sdk("integration.fetchPaymentSessionTimeout")
    assert found["data"] == {"payment_session_timeout": 0}


async def test_channels_by_sdk_restrict_the_checkout_page(sdk: NodeSdk, merchant: Merchant) -> None:
    started = (await sdk("transaction.initialize", **OPENING, channels=["ussd"]))["data"]
    for channel, status in (("bank_transfer", 400), ("ussd", 200)):
        chosen = await merchant.control(f"transactions/{started['reference']}/channel", channel=channel)
        assert chosen.status_code == status


async def test_settlement_by_sdk_is_listed_with_its_transactions(sdk: NodeSdk, merchant: Merchant) -> None:
    paid = await merchant.paid()
    (made,) = (await merchant.control("settlements")).json()["data"]
    listed = (await sdk("settlement.fetch", perPage=1, page=1))["data"]
    assert [each["id"] for each in listed] == [made["id"]]
    inside = (await sdk("settlement.transaction", id=made["id"]))["data"]
    assert paid["id"] in {each["id"] for each in inside}


@pytest.mark.parametrize(
    ("call", "fields", "message"),
    [
        ("transaction.verify", {"reference": "no-such-reference"}, "Transaction reference not found."),
        ("transaction.fetch", {"id": 1}, "Transaction not found"),
        ("transaction.initialize", OPENING | {"amount": 1.5}, '"amount" must be an integer'),
        ("transaction.initialize", OPENING | {"currency": "EUR"}, "Currency not supported by merchant"),
        ("dispute.fetch", {"id": 1}, "Dispute not found"),
        ("settlement.transaction", {"id": 1}, "Settlement not found"),
        (
            "transaction.partialDebit",
            OPENING | {"authorization_code": "AUTH_x"},
            "Authorization code is not one that can be charged",
        ),
        ("transaction.download", {}, "Transaction not found"),
        ("balance.fetch", {}, "Not Found"),
    ],
)
async def test_call_by_sdk_that_is_refused_returns_the_message(
    sdk: NodeSdk, call: str, fields: dict[str, Any], message: str
) -> None:
    assert await sdk(call, **fields) == {"status": False, "message": message}


async def test_initialize_by_sdk_with_a_wrong_key_reference_or_field_is_refused(sdk: NodeSdk) -> None:
    wrong_key = await sdk("transaction.initialize", key="sk_test_of_another_account", **OPENING)
    assert wrong_key == {"status": False, "message": "Invalid key"}
    assert (await sdk("transaction.initialize", **OPENING, reference="node-3"))["status"] is True
    again = await sdk("transaction.initialize", **OPENING, reference="node-3")
    assert again == {"status": False, "message": "Duplicate Transaction Reference"}
    with pytest.raises(SdkError, match="Required parameter email"):
        await sdk("transaction.initialize", amount=1)


async def test_verify_by_sdk_with_faults_returns_or_raises_the_error(sdk: NodeSdk, merchant: Merchant) -> None:
    """Without the modes reset and timeout: the SDK returns nothing when a response is cut off or missing."""
    started = await merchant.start()

    async def verified(**verify: Any) -> dict[str, Any]:
        assert (await merchant.http.put("/sandbox/faults", json={"verify": verify | {"times": 1}})).status_code == 200
        return await sdk("transaction.verify", reference=started["reference"])

    assert await verified(mode="rate_limited") == {"status": False, "message": "Rate limit exceeded!"}
    assert await verified(mode="error_500") == {"status": False, "message": "An error occurred"}
    with pytest.raises(SdkError, match="JSON"):
        await verified(mode="html_200")
    assert (await verified(mode="wrong_status"))["data"]["status"] == "success"
    assert (await sdk("transaction.verify", reference=started["reference"]))["data"]["status"] == "abandoned"


async def test_one_time_code_by_sdk_pays_the_charge(sdk: NodeSdk, merchant: Merchant) -> None:
    orange = {"phone": "0700000000", "provider": "orange"}
    body = {"email": "ada@example.com", "amount": 250_000, "currency": "XOF", "mobile_money": orange}
    reference = (await merchant.call("POST", "/charge", json=body)).json()["data"]["reference"]
    assert (await sdk("charge.submitOtp", otp="1234", reference=reference))["data"]["status"] == "success"
