"""Every response and every webhook has the form that Paystack publishes."""

import json
from typing import Any

import httpx
import pytest

from tests.fakes.webhook_receiver import WebhookReceiver
from tests.fixtures.merchant import Merchant
from tests.integration.sandbox.conformance import (
    dispute_schemas,
    refund_schemas,
    schemas,
    settlement_schemas,
    transaction_schemas,
    webhook_event_schemas,
)
from tests.integration.sandbox.conformance.json_schema import Schema, problems
from tests.integration.sandbox.conformance.schemas import list_of, success_response

PROOF = {"customer_email": "a@b.co", "customer_name": "A", "customer_phone": "1", "service_details": "book"}
VERDICT = {"resolution": "declined", "message": "Delivered", "refund_amount": 5, "uploaded_filename": "a.pdf"}
ACCOUNT = {"refund_account_details": {"currency": "NGN", "account_number": "0123456789", "bank_id": "9"}}


async def check_response(schema: Schema, merchant: Merchant, method: str, path: str, **more: Any) -> Any:
    response = await merchant.call(method, path, **more)
    assert problems(schema, response.json()) == [], path
    return response.json().get("data")


def webhook_named(receiver: WebhookReceiver, event: str) -> dict[str, Any]:
    webhooks = [json.loads(each.body) for each in receiver.received]
    return next(webhook for webhook in webhooks if webhook["event"] == event)


async def test_responses_about_transactions_fit_their_schemas(merchant: Merchant, receiver: WebhookReceiver) -> None:
    body = {"email": "ada@example.com", "amount": 250_000, "currency": "NGN"}
    opened = schemas.object_with(authorization_url=schemas.TEXT, access_code=schemas.TEXT, reference=schemas.TEXT)
    created = success_response("Authorization URL created", opened)
    started = await check_response(created, merchant, "POST", "/transaction/initialize", json=body)
    verified = success_response("Verification successful", transaction_schemas.VERIFIED)
    unpaid = await check_response(verified, merchant, "GET", f"/transaction/verify/{started['reference']}")
    assert unpaid["authorization"] == {}
    await merchant.pay(started["reference"])
    paid = await check_response(verified, merchant, "GET", f"/transaction/verify/{started['reference']}")
    assert problems(schemas.CARD, paid["authorization"]) == []
    retrieved = success_response("Transaction retrieved", transaction_schemas.FETCHED)
    await check_response(retrieved, merchant, "GET", f"/transaction/{paid['id']}")
    listed = list_of(transaction_schemas.LISTED)
    await merchant.start()
    paged = success_response("Transactions retrieved", listed, schemas.PAGE_META_WITH_VOLUME)
    assert len(await check_response(paged, merchant, "GET", "/transaction")) == 2
    await check_response(
        success_response("Transactions retrieved", listed, schemas.CURSOR_META),
        merchant,
        "GET",
        "/transaction?use_cursor=true",
    )
    await check_response(
        success_response("Transaction totals", transaction_schemas.TOTALS), merchant, "GET", "/transaction/totals"
    )
    await check_response(
        success_response("Timeline retrieved", schemas.LOG), merchant, "GET", f"/transaction/timeline/{paid['id']}"
    )
    await receiver.wait(1)
    assert problems(transaction_schemas.CHARGE_SUCCESS_WEBHOOK, webhook_named(receiver, "charge.success")) == []


async def test_responses_about_saved_cards_fit_their_schemas(shared_merchant: Merchant) -> None:
    paid = await shared_merchant.paid()
    card = {"authorization_code": paid["authorization"]["authorization_code"]}
    body = {"email": "ada@example.com", "amount": 100, **card}
    charged = success_response("Charge attempted", transaction_schemas.CHARGED)
    await check_response(charged, shared_merchant, "POST", "/transaction/charge_authorization", json=body)
    gone = success_response("Authorization has been deactivated")
    await check_response(gone, shared_merchant, "POST", "/customer/authorization/deactivate", json=card)


async def test_responses_and_webhooks_about_refunds_fit_their_schemas(
    merchant: Merchant, receiver: WebhookReceiver
) -> None:
    paid = await merchant.paid()
    body = {"transaction": paid["reference"], "amount": 100}
    queued = success_response("Refund has been queued for processing", refund_schemas.REFUND_MADE)
    numbers = [(await check_response(queued, merchant, "POST", "/refund", json=body))["id"] for _ in range(3)]
    retrieved = success_response("Refund retrieved", refund_schemas.REFUND_FETCHED)
    ways = (["processing", "processed"], ["failed"], ["needs-attention"])
    for number, outcomes in zip(numbers, ways, strict=True):
        for outcome in outcomes:
            await merchant.control(f"refunds/{number}", outcome=outcome)
            await check_response(retrieved, merchant, "GET", f"/refund/{number}")
    meta = schemas.object_with(**schemas.PAGE_META["properties"] | {"failedRefundCount": schemas.INTEGER})
    listed = success_response("Refunds retrieved", list_of(refund_schemas.REFUND_LISTED), meta)
    assert len(await check_response(listed, merchant, "GET", "/refund")) == 3
    retried = success_response("Refund retried and has been queued for processing", refund_schemas.REFUND_RETRIED)
    path = f"/refund/retry_with_customer_details/{numbers[2]}"
    await check_response(retried, merchant, "POST", path, json=ACCOUNT)
    await receiver.wait(9)
    for status in refund_schemas.REFUND_STATUS["enum"]:
        assert problems(refund_schemas.refund_webhook(status), webhook_named(receiver, f"refund.{status}")) == []


async def test_responses_and_webhooks_about_disputes_fit_their_schemas(
    merchant: Merchant, receiver: WebhookReceiver
) -> None:
    paid = await merchant.paid()
    number = (await merchant.control("disputes", reference=paid["reference"])).json()["data"]["id"]
    path = f"/dispute/{number}"
    listed = success_response("Disputes retrieved", list_of(dispute_schemas.DISPUTE_LISTED), schemas.PAGE_META)
    assert len(await check_response(listed, merchant, "GET", "/dispute")) == 1
    await check_response(success_response("Dispute retrieved", dispute_schemas.DISPUTE_FETCHED), merchant, "GET", path)
    of_transaction = success_response("Dispute retrieved successfully", dispute_schemas.DISPUTE_OF_TRANSACTION)
    await check_response(of_transaction, merchant, "GET", f"/dispute/transaction/{paid['id']}")
    updated = success_response("Dispute updated successfully", dispute_schemas.DISPUTE_FETCHED)
    await check_response(updated, merchant, "PUT", path, json={"refund_amount": 5})
    upload = success_response("Upload url generated", dispute_schemas.UPLOAD)
    await check_response(upload, merchant, "GET", f"{path}/upload_url?upload_filename=a.pdf")
    await check_response(
        success_response("Evidence created", dispute_schemas.EVIDENCE), merchant, "POST", f"{path}/evidence", json=PROOF
    )
    await merchant.control(f"disputes/{number}", outcome="remind")
    resolved = success_response("Dispute successfully resolved", dispute_schemas.DISPUTE_RESOLVED)
    await check_response(resolved, merchant, "PUT", f"{path}/resolve", json=VERDICT)
    await merchant.control(f"disputes/{number}", outcome="auto-accepted")
    await receiver.wait(4)
    for kind in ("create", "remind", "resolve"):
        assert problems(dispute_schemas.dispute_webhook(kind), webhook_named(receiver, f"charge.dispute.{kind}")) == []


async def test_responses_about_settlements_fit_their_schemas(merchant: Merchant) -> None:
    await merchant.paid()
    number = (await merchant.control("settlements")).json()["data"][0]["id"]
    listed = success_response("Settlements retrieved", list_of(settlement_schemas.SETTLEMENT), schemas.PAGE_META)
    assert len(await check_response(listed, merchant, "GET", "/settlement")) == 1
    inside = success_response(
        "Transactions retrieved", list_of(transaction_schemas.LISTED), schemas.PAGE_META_WITH_VOLUME
    )
    assert len(await check_response(inside, merchant, "GET", f"/settlement/{number}/transactions")) == 1


async def test_responses_about_webhook_events_fit_their_schemas(merchant: Merchant) -> None:
    await merchant.paid()
    await merchant.webhooks(delivered=1)
    path = "/integration/webhooks/events"
    listed = success_response("Webhooks retrieved", list_of(webhook_event_schemas.EVENT), schemas.CURSOR_META)
    (event,) = await check_response(listed, merchant, "GET", path)
    await check_response(
        success_response("Webhook retrieved", webhook_event_schemas.EVENT),
        merchant,
        "GET",
        f"{path}/lookup?reference={event['_id']}",
    )
    await check_response(
        success_response("Webhook retrieved", webhook_event_schemas.EVENT_FETCHED),
        merchant,
        "GET",
        f"{path}/{event['_id']}",
    )
    queued = success_response("Webhooks queued", schemas.object_with(count=schemas.INTEGER))
    await check_response(queued, merchant, "POST", f"{path}/resend", json={"ids": [event["_id"]]})


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/transaction/verify/no-such-reference", 400),
        ("GET", "/transaction/1", 404),
        ("GET", "/transaction/timeline/no-such-reference", 404),
        ("POST", "/transaction/initialize", 400),
        ("POST", "/transaction/charge_authorization", 400),
        ("POST", "/customer/authorization/deactivate", 400),
        ("POST", "/refund", 400),
        ("GET", "/refund/1", 404),
        ("POST", "/refund/retry_with_customer_details/1", 400),
        ("GET", "/dispute/1", 404),
        ("PUT", "/dispute/1", 400),
        ("PUT", "/dispute/1/resolve", 400),
        ("POST", "/dispute/1/evidence", 400),
        ("GET", "/settlement/1/transactions", 404),
        ("GET", "/integration/webhooks/events/x", 404),
        ("POST", "/integration/webhooks/events/resend", 400),
    ],
)
async def test_error_responses_fit_their_schema(shared_merchant: Merchant, method: str, path: str, status: int) -> None:
    body = b"{}" if method != "GET" else b""
    for headers, expected in (({}, 401), ({"authorization": "Bearer sk_test_0123456789abcdef"}, status)):
        response: httpx.Response = await shared_merchant.http.request(method, path, headers=headers, content=body)
        assert response.status_code == expected
        assert problems(schemas.ERROR, response.json()) == []
