"""Transactions: begun on Paystack's page, verified, listed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from services.payments.paystack.charge import Charge, parse_charge
from services.payments.paystack.errors import NoAnswer, Refused
from services.payments.paystack.parsing import Unreadable, format_time
from services.payments.paystack.settlements import TransactionPage, parse_transactions
from services.payments.paystack.transport import Transport


@dataclass(frozen=True, slots=True)
class Initialized:
    authorization_url: str
    access_code: str


class Transactions:
    """/transaction"""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def initialize(
        self, *, reference: str, email: str, amount: int, currency: str, callback_url: str, metadata: dict[str, Any]
    ) -> Initialized:
        """POST /transaction/initialize. There is no idempotency key: after NoAnswer the reference is spent."""
        # Without a currency Paystack silently charges in the integration's own: it is always sent.
        body = {
            "reference": reference,
            "email": email,
            "amount": amount,
            "currency": currency,
            "callback_url": callback_url,
            "metadata": metadata,
        }
        data = await self._transport.call("initialize", "POST", "/transaction/initialize", body)
        url, code = data.get("authorization_url"), data.get("access_code")
        if not isinstance(url, str) or not isinstance(code, str) or data.get("reference") != reference:
            raise NoAnswer("initialize answered without authorization_url, access_code and our reference")
        return Initialized(url[:2000], code[:100])

    async def verify(self, reference: str) -> Charge | None:
        """GET /transaction/verify/:reference; None where Paystack does not know it (400 and 404 were seen: the code decides)."""
        try:
            data = await self._transport.call("verify", "GET", f"/transaction/verify/{quote(reference, safe='')}")
        except Refused as refused:
            if refused.code == "transaction_not_found" or refused.status == 404:
                return None
            raise
        return parse_answer(data, reference)

    async def began(self, since: datetime, until: datetime, page: int) -> TransactionPage:
        """GET /transaction: what began between the two, both included, fifty a page, from page 1."""
        period = urlencode({"from": format_time(since), "to": format_time(until)})
        data, last = await self._transport.page("transactions", f"/transaction?{period}&", page)
        return parse_transactions(data, last=last)


def parse_answer(data: Any, reference: str) -> Charge:
    try:
        charge = parse_charge(data)
    except Unreadable as error:
        raise NoAnswer(f"a charge that cannot be read: {error}") from error
    if charge.reference != reference:
        raise NoAnswer("the answer is about another reference")
    return charge
