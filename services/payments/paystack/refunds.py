"""Refunds: sent, listed by their transaction, and sent on to the payer's account."""

from dataclasses import dataclass
from typing import Any

from services.payments.paystack.errors import NoAnswer
from services.payments.paystack.parsing import parse_integer, parse_text
from services.payments.paystack.transport import Transport


@dataclass(frozen=True, slots=True)
class PaystackRefund:
    """A refund as Paystack tells it. `note` is the merchant_note that it was asked with."""

    id: int
    amount: int
    status: str
    note: str | None


class Refunds:
    """/refund"""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def send(
        self, reference: str, amount: int, currency: str, *, note: str, customer_note: str | None
    ) -> PaystackRefund:
        """POST /refund. The amount is always sent: without it Paystack takes the whole original, and refuses after a partial one."""
        body = {"transaction": reference, "amount": amount, "currency": currency, "merchant_note": note}
        if customer_note:
            body["customer_note"] = customer_note
        return _told(await self._transport.call("refund", "POST", "/refund", body))

    async def of_transaction(self, transaction_id: int) -> list[PaystackRefund]:
        """GET /refund of one transaction, by its numeric id: a reference would give an empty list."""
        path = f"/refund?transaction={transaction_id}&perPage=100"
        return [_told(one) for one in await self._transport.list_of("refunds", path)]

    async def retry(self, refund_id: int, *, currency: str, account_number: str, bank_id: str) -> PaystackRefund:
        """POST /refund/retry_with_customer_details/:id, for one that needs attention."""
        details = {"currency": currency, "account_number": account_number, "bank_id": bank_id}
        path = f"/refund/retry_with_customer_details/{refund_id}"
        return _told(await self._transport.call("retry_refund", "POST", path, {"refund_account_details": details}))


def _told(data: Any) -> PaystackRefund:
    found = data if isinstance(data, dict) else {}
    refund_id, amount = parse_integer(found.get("id"), most=2**63 - 1), parse_integer(found.get("amount"))
    status = parse_text(found.get("status"), 50)
    if refund_id is None or amount is None or status is None:
        raise NoAnswer("a refund without id, amount or status")
    return PaystackRefund(refund_id, amount, status.lower(), parse_text(found.get("merchant_note"), 500))
