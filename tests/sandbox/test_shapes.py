"""Every answer and every webhook has the shape that Paystack publishes."""

import json
from typing import Any

import httpx
import pytest

from tests.sandbox import shapes
from tests.sandbox.json_schema import Schema, problems
from tests.sandbox.merchant import Merchant
from tests.sandbox.receiver import Receiver
from tests.sandbox.shapes import answer, many

PROOF = {"customer_email": "a@b.co", "customer_name": "A", "customer_phone": "1", "service_details": "book"}
VERDICT = {"resolution": "declined", "message": "Delivered", "refund_amount": 5, "uploaded_filename": "a.pdf"}
ACCOUNT = {"refund_account_details": {"currency": "NGN", "account_number": "0123456789", "bank_id": "9"}}


async def fits(schema: Schema, merchant: Merchant, method: str, path: str, **more: Any) -> Any:
    response = await merchant.call(method, path, **more)
    assert problems(schema, response.json()) == [], path
    return response.json().get("data")


def told(receiver: Receiver, event: str) -> dict[str, Any]:
    notices = [json.loads(each.body) for each in receiver.received]
    return next(notice for notice in notices if notice["event"] == event)


async def test_transactions(merchant: Merchant, receiver: Receiver) -> None:
    body = {"email": "ada@example.com", "amount": 250_000, "currency": "NGN"}
    opened = shapes.whole(authorization_url=shapes.TEXT, access_code=shapes.TEXT, reference=shapes.TEXT)
    created = answer("Authorization URL created", opened)
    started = await fits(created, merchant, "POST", "/transaction/initialize", json=body)
    verified = answer("Verification successful", shapes.VERIFIED)
    unpaid = await fits(verified, merchant, "GET", f"/transaction/verify/{started['reference']}")
    assert unpaid["authorization"] == {}
    await merchant.pay(started["reference"])
    paid = await fits(verified, merchant, "GET", f"/transaction/verify/{started['reference']}")
    assert problems(shapes.CARD, paid["authorization"]) == []
    retrieved = answer("Transaction retrieved", shapes.FETCHED)
    await fits(retrieved, merchant, "GET", f"/transaction/{paid['id']}")
    listed = many(shapes.LISTED)
    await merchant.start()
    paged = answer("Transactions retrieved", listed, shapes.PAGE_WITH_VOLUME)
    assert len(await fits(paged, merchant, "GET", "/transaction")) == 2
    await fits(answer("Transactions retrieved", listed, shapes.LEAF), merchant, "GET", "/transaction?use_cursor=true")
    await fits(answer("Transaction totals", shapes.TOTALS), merchant, "GET", "/transaction/totals")
    await fits(answer("Timeline retrieved", shapes.LOG), merchant, "GET", f"/transaction/timeline/{paid['id']}")
    await receiver.wait(1)
    assert problems(shapes.PAID_NOTICE, told(receiver, "charge.success")) == []


async def test_saved_cards(shared: Merchant) -> None:
    paid = await shared.paid()
    card = {"authorization_code": paid["authorization"]["authorization_code"]}
    body = {"email": "ada@example.com", "amount": 100, **card}
    charged = answer("Charge attempted", shapes.CHARGED)
    await fits(charged, shared, "POST", "/transaction/charge_authorization", json=body)
    gone = answer("Authorization has been deactivated")
    await fits(gone, shared, "POST", "/customer/authorization/deactivate", json=card)


async def test_refunds(merchant: Merchant, receiver: Receiver) -> None:
    paid = await merchant.paid()
    body = {"transaction": paid["reference"], "amount": 100}
    queued = answer("Refund has been queued for processing", shapes.REFUND_MADE)
    numbers = [(await fits(queued, merchant, "POST", "/refund", json=body))["id"] for _ in range(3)]
    retrieved = answer("Refund retrieved", shapes.REFUND_FETCHED)
    ways = (["processing", "processed"], ["failed"], ["needs-attention"])
    for number, outcomes in zip(numbers, ways, strict=True):
        for outcome in outcomes:
            await merchant.order(f"refunds/{number}", outcome=outcome)
            await fits(retrieved, merchant, "GET", f"/refund/{number}")
    meta = shapes.whole(**shapes.PAGE["properties"] | {"failedRefundCount": shapes.COUNT})
    listed = answer("Refunds retrieved", many(shapes.REFUND_LISTED), meta)
    assert len(await fits(listed, merchant, "GET", "/refund")) == 3
    retried = answer("Refund retried and has been queued for processing", shapes.REFUND_RETRIED)
    path = f"/refund/retry_with_customer_details/{numbers[2]}"
    await fits(retried, merchant, "POST", path, json=ACCOUNT)
    await receiver.wait(9)
    for status in shapes.REFUND_STATUS["enum"]:
        assert problems(shapes.refund_notice(status), told(receiver, f"refund.{status}")) == []


async def test_disputes(merchant: Merchant, receiver: Receiver) -> None:
    paid = await merchant.paid()
    number = (await merchant.order("disputes", reference=paid["reference"])).json()["data"]["id"]
    path = f"/dispute/{number}"
    listed = answer("Disputes retrieved", many(shapes.DISPUTE_LISTED), shapes.PAGE)
    assert len(await fits(listed, merchant, "GET", "/dispute")) == 1
    await fits(answer("Dispute retrieved", shapes.DISPUTE_FETCHED), merchant, "GET", path)
    of_transaction = answer("Dispute retrieved successfully", shapes.DISPUTE_OF_TRANSACTION)
    await fits(of_transaction, merchant, "GET", f"/dispute/transaction/{paid['id']}")
    updated = answer("Dispute updated successfully", shapes.DISPUTE_FETCHED)
    await fits(updated, merchant, "PUT", path, json={"refund_amount": 5})
    upload = answer("Upload url generated", shapes.UPLOAD)
    await fits(upload, merchant, "GET", f"{path}/upload_url?upload_filename=a.pdf")
    await fits(answer("Evidence created", shapes.EVIDENCE), merchant, "POST", f"{path}/evidence", json=PROOF)
    await merchant.order(f"disputes/{number}", outcome="remind")
    resolved = answer("Dispute successfully resolved", shapes.DISPUTE_RESOLVED)
    await fits(resolved, merchant, "PUT", f"{path}/resolve", json=VERDICT)
    await merchant.order(f"disputes/{number}", outcome="auto-accepted")
    await receiver.wait(4)
    for kind in ("create", "remind", "resolve"):
        assert problems(shapes.dispute_notice(kind), told(receiver, f"charge.dispute.{kind}")) == []


async def test_settlements(merchant: Merchant) -> None:
    await merchant.paid()
    number = (await merchant.order("settlements")).json()["data"][0]["id"]
    listed = answer("Settlements retrieved", many(shapes.SETTLEMENT), shapes.PAGE)
    assert len(await fits(listed, merchant, "GET", "/settlement")) == 1
    inside = answer("Transactions retrieved", many(shapes.LISTED), shapes.PAGE_WITH_VOLUME)
    assert len(await fits(inside, merchant, "GET", f"/settlement/{number}/transactions")) == 1


async def test_webhook_events(merchant: Merchant) -> None:
    await merchant.paid()
    await merchant.webhooks(delivered=1)
    path = "/integration/webhooks/events"
    listed = answer("Webhooks retrieved", many(shapes.EVENT), shapes.LEAF)
    (event,) = await fits(listed, merchant, "GET", path)
    await fits(answer("Webhook retrieved", shapes.EVENT), merchant, "GET", f"{path}/lookup?reference={event['_id']}")
    await fits(answer("Webhook retrieved", shapes.EVENT_FETCHED), merchant, "GET", f"{path}/{event['_id']}")
    queued = answer("Webhooks queued", shapes.whole(count=shapes.COUNT))
    await fits(queued, merchant, "POST", f"{path}/resend", json={"ids": [event["_id"]]})


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/transaction/verify/nobody", 400),
        ("GET", "/transaction/1", 404),
        ("GET", "/transaction/timeline/nobody", 404),
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
async def test_refusals(shared: Merchant, method: str, path: str, status: int) -> None:
    body = b"{}" if method != "GET" else b""
    for headers, expected in (({}, 401), ({"authorization": "Bearer sk_test_0123456789abcdef"}, status)):
        response: httpx.Response = await shared.http.request(method, path, headers=headers, content=body)
        assert response.status_code == expected
        assert problems(shapes.REFUSED, response.json()) == []


def test_the_checker_finds_what_is_wrong() -> None:
    schema = shapes.whole(a=shapes.COUNT, b=many(shapes.TIME), c=shapes.maybe(shapes.TEXT))
    assert problems(schema, {"a": 1, "b": ["2026-01-02T03:04:05.678Z"], "c": None}) == []
    wrongs: list[Any] = [
        [],
        {"a": 1, "b": []},
        {"a": True, "b": [], "c": ""},
        {"a": 1, "b": ["x"], "c": ""},
        {"a": 1, "b": [], "c": 1},
    ]
    for wrong in wrongs:
        assert problems(schema, wrong)
    assert problems({"not": {"required": ["x"]}}, {"x": 1})
    assert problems(shapes.one_of(1), 2)
    either = [shapes.TEXT, {"type": ["string", "integer"]}]
    fitting: list[Schema] = [{"anyOf": either}, {"oneOf": either}, {"allOf": either}]
    assert [len(problems(each, 1)) for each in fitting] == [0, 0, 1]
    assert [len(problems(each, "x")) for each in fitting] == [0, 1, 0]
    closed = {"properties": {"a": shapes.TEXT}, "additionalProperties": False, "minProperties": 1}
    assert problems(closed, {"a": ""}) == []
    assert problems(closed, {})
    assert problems(closed, {"b": 1})
    assert problems({"additionalProperties": shapes.TEXT}, {"a": 1})
