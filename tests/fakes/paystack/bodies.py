"""JSON bodies in Paystack's shapes, and the signature of a webhook."""

import hashlib
import hmac
import json
from typing import Any

Json = dict[str, Any]
SECRET_KEY = "sk_test_0123456789abcdef"


def sign(body: bytes, key: str = SECRET_KEY) -> str:
    """Return the `x-paystack-signature` of a webhook body: HMAC-SHA512 in lowercase hex."""
    return hmac.new(key.encode(), body, hashlib.sha512).hexdigest()


def webhook_body(webhook: Json) -> bytes:
    """Return the bytes of a webhook as JavaScript writes them."""
    return json.dumps(webhook, separators=(",", ":")).encode()


def parse(body: bytes) -> Json:
    """Return a body's JSON object."""
    found: Json = json.loads(body)
    return found


def transaction_id(reference: str) -> int:
    """Return the id of the transaction of a reference; the same wherever the transaction is shown."""
    return int.from_bytes(hashlib.sha256(reference.encode()).digest()[:5])


def charge(reference: str, amount: int = 50_000, **changes: Any) -> Json:
    """Return a paid charge with the fields that payments reads."""
    return {
        "id": transaction_id(reference),
        "domain": "test",
        "status": "success",
        "reference": reference,
        "amount": amount,
        "gateway_response": "Successful",
        "paid_at": "2026-11-23T09:15:02.000Z",
        "channel": "card",
        "currency": "NGN",
        "metadata": "",
        "fees": 750,
        "requested_amount": amount,
        **changes,
    }


def charge_success(reference: str, amount: int = 50_000, **changes: Any) -> Json:
    """Return a charge.success webhook."""
    return {"event": "charge.success", "data": charge(reference, amount, **changes)}


def refund_event(status: str, reference: str, amount: int = 50_000) -> Json:
    """Return a refund webhook. It names the transaction and carries the amount as a string."""
    data = {"transaction_reference": reference, "refund_reference": None, "amount": str(amount), "status": status}
    return {"event": f"refund.{status}", "data": data}


def transfer_rejected(reference: str, amount: int = 40_000, reason: str = "INCORRECT_AMOUNT", **changes: Any) -> Json:
    """Return a bank.transfer.rejected webhook. It names the transaction only by its id, which is a string like the amount."""
    transfer = {
        "amount": str(amount),
        "message": "incorrect amount sent",
        "message_type": reason,
        "transaction_id": str(transaction_id(reference)),
        **changes,
    }
    customer = {"email": "payer@example.com", "customer_code": "CUS_1", "id": 1, "domain": "test"}
    return {"event": "bank.transfer.rejected", "data": {"bank_transfer": transfer, "customer": customer}}


def dispute(number: int, reference: str, amount: int = 50_000, **changes: Any) -> Json:
    """Return a dispute as GET /dispute/:id shows it."""
    return {
        "id": number,
        "refund_amount": amount,
        "currency": "NGN",
        "status": "awaiting-merchant-feedback",
        "resolution": None,
        "domain": "test",
        "transaction": {
            "id": transaction_id(reference),
            "domain": "test",
            "status": "success",
            "reference": reference,
            "amount": amount,
            "currency": "NGN",
        },
        "transaction_reference": None,
        "category": "chargeback",
        "dueAt": "2099-11-25T18:00:00.000Z",
        "resolvedAt": None,
        "createdAt": "2026-11-20T13:46:57.000Z",
        "updatedAt": "2026-11-24T18:00:02.000Z",
        **changes,
    }


def dispute_event(kind: str, body: Json) -> Json:
    """Return a charge.dispute.create, .remind or .resolve webhook. It says created_at where the API says createdAt."""
    data = {name: value for name, value in body.items() if name not in {"createdAt", "updatedAt"}}
    data |= {"created_at": body["createdAt"], "updated_at": body["updatedAt"]}
    return {"event": f"charge.dispute.{kind}", "data": data}


def authorization(card: str = "4081", **changes: Any) -> Json:
    """Return the reusable authorization of a paid card charge."""
    return {
        "authorization_code": f"AUTH_{card}",
        "bin": "408408",
        "last4": card,
        "exp_month": "12",
        "exp_year": "2030",
        "channel": "card",
        "card_type": "visa ",
        "bank": "TEST BANK",
        "country_code": "NG",
        "brand": "visa",
        "reusable": True,
        "signature": f"SIG_{card}",
        "account_name": None,
        **changes,
    }


def settlement(number: int, charges: list[Json], now: str, **changes: Any) -> Json:
    """Return a settlement (a payout to the merchant's bank) of these charges as GET /settlement lists it."""
    processed, fees = sum(one["amount"] for one in charges), sum(one["fees"] or 0 for one in charges)
    return {
        "id": number,
        "domain": "test",
        "status": "success",
        "currency": "NGN",
        "total_amount": processed - fees,
        "effective_amount": processed - fees - (changes.get("deductions") or 0),
        "total_fees": fees,
        "total_processed": processed,
        "deductions": None,
        "settlement_date": now,
        "createdAt": now,
        **changes,
    }
