"""Signed webhook events of card payments, each for a payment of its own."""

import hmac
import json
from dataclasses import dataclass
from uuid import NAMESPACE_URL, UUID, uuid5

AMOUNT = 50_000
"""The amount of every order of the benchmark, in subunits of CURRENCY."""

CURRENCY = "NGN"
_REFERENCE, _ID = "%reference%", 4_099_260_516
# The body of charge.success for a card payment with all fields that Paystack sends: about 1.4 KB.
_CARD = {
    "event": "charge.success",
    "data": {
        "id": _ID,
        "domain": "test",
        "status": "success",
        "reference": _REFERENCE,
        "amount": AMOUNT,
        "message": None,
        "gateway_response": "Successful",
        "paid_at": "2026-11-23T09:15:02.000Z",
        "created_at": "2026-11-23T09:14:31.000Z",
        "channel": "card",
        "currency": CURRENCY,
        "ip_address": "197.210.54.33",
        "metadata": {"order_id": _REFERENCE, "cancel_action": "https://shop.example.com/orders/cancelled"},
        "fees_breakdown": None,
        "log": None,
        "fees": 750,
        "fees_split": None,
        "authorization": {
            "authorization_code": "AUTH_8dfhjjdt4q",
            "bin": "408408",
            "last4": "4081",
            "exp_month": "12",
            "exp_year": "2030",
            "channel": "card",
            "card_type": "visa ",
            "bank": "TEST BANK",
            "country_code": "NG",
            "brand": "visa",
            "reusable": True,
            "signature": "SIG_yEXu7dLBeqG0kU7g95Ke",
            "account_name": None,
            "receiver_bank_account_number": None,
            "receiver_bank": None,
        },
        "customer": {
            "id": 181_873_746,
            "first_name": "Ada",
            "last_name": "Obi",
            "email": "ada.obi@example.com",
            "customer_code": "CUS_1rkzaqsv4rrhqo6",
            "phone": "+2348012345678",
            "metadata": None,
            "risk_action": "default",
            "international_format_phone": "+2348012345678",
        },
        "plan": {},
        "subaccount": {},
        "split": {},
        "order_id": None,
        "paidAt": "2026-11-23T09:15:02.000Z",
        "requested_amount": AMOUNT,
        "pos_transaction_data": None,
        "source": {
            "type": "api",
            "source": "merchant_api",
            "entry_point": "transaction_initialize",
            "identifier": None,
        },
    },
}
_TEMPLATE = json.dumps(_CARD, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class WebhookEvents:
    """`count` signed webhook events, each for another payment. Each call generates them again, which takes 10 µs per event."""

    batch: int
    count: int
    key: str

    def references(self) -> list[str]:
        """Return the payment references."""
        return [f"bench-{self.batch:04d}-{number:06d}" for number in range(self.count)]

    def bodies(self) -> list[bytes]:
        """Return the JSON bodies."""
        ids = range(_ID + self.batch * 1_000_000, _ID + (self.batch + 1) * 1_000_000)
        return [
            _TEMPLATE.replace(_REFERENCE.encode(), reference.encode()).replace(str(_ID).encode(), str(number).encode())
            for reference, number in zip(self.references(), ids, strict=False)
        ]

    def requests(self, port: int, path: str) -> list[bytes]:
        """Return complete HTTP/1.1 requests with signatures."""
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        return [
            f"{head}Content-Length: {len(body)}\r\nx-paystack-signature: {self._signature(body)}\r\n\r\n".encode()
            + body
            for body in self.bodies()
        ]

    def _signature(self, body: bytes) -> str:
        return hmac.digest(self.key.encode(), body, "sha512").hex()


def order_id_of(reference: str) -> UUID:
    """Return the id of the order that a payment reference belongs to."""
    return uuid5(NAMESPACE_URL, reference)
