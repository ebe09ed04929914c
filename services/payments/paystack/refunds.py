"""Refunds at Paystack: create, list, and retry with the payer's bank account."""

from dataclasses import dataclass

from services.payments.paystack.errors import NoAnswer, Refused
from services.payments.paystack.parsing import MAX_ID, parse_integer, parse_text
from services.payments.paystack.transport import Transport


@dataclass(frozen=True, slots=True)
class PaystackRefund:
    """A refund as Paystack reports it. `amount` is in subunits; `note` is the merchant_note of the request."""

    id: int
    amount: int
    status: str
    note: str | None


TOO_LARGE = "total refund amount cannot exceed original transaction amount"
"""Paystack's message, as observed on its test API, in lower case."""


def is_permanent(refusal: Refused) -> bool:
    """Return True if Paystack would always refuse this refund: the transaction is unknown, or the amount exceeds what is left to refund.

    Any other refusal may be temporary: for example, the balance of the account may be too low now. Paystack publishes neither the code nor
    the message of that refusal, so the code does not look for either.
    """
    unknown = refusal.code == "transaction_not_found" or refusal.status == 404
    return unknown or TOO_LARGE in refusal.message.lower()


class Refunds:
    """The calls under /refund."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def create(
        self, reference: str, amount: int, currency: str, *, note: str, customer_note: str | None
    ) -> PaystackRefund:
        """POST /refund. Always send the amount.

        Without it, Paystack refunds the whole payment, or refuses the request if a part is refunded already.
        """
        body = {"transaction": reference, "amount": amount, "currency": currency, "merchant_note": note}
        if customer_note:
            body["customer_note"] = customer_note
        return _parse_refund(await self._transport.call("refund", "POST", "/refund", body))

    async def list_for_transaction(self, transaction_id: int) -> list[PaystackRefund]:
        """GET /refund for one transaction, by its numeric id: with a reference Paystack returns an empty list. At most 100."""
        path = f"/refund?transaction={transaction_id}&perPage=100"
        return [_parse_refund(one) for one in await self._transport.call_for_list("refunds", path)]

    async def retry(self, refund_id: int, *, currency: str, account_number: str, bank_id: str) -> PaystackRefund:
        """POST /refund/retry_with_customer_details/:id for a refund with status needs-attention."""
        details = {"currency": currency, "account_number": account_number, "bank_id": bank_id}
        path = f"/refund/retry_with_customer_details/{refund_id}"
        return _parse_refund(
            await self._transport.call("retry_refund", "POST", path, {"refund_account_details": details})
        )


def _parse_refund(data: object) -> PaystackRefund:
    found = data if isinstance(data, dict) else {}
    refund_id, amount = parse_integer(found.get("id"), maximum=MAX_ID), parse_integer(found.get("amount"))
    status = parse_text(found.get("status"), 50)
    if refund_id is None or amount is None or status is None:
        raise NoAnswer("a refund without id, amount or status")
    return PaystackRefund(refund_id, amount, status.lower(), parse_text(found.get("merchant_note"), 500))
