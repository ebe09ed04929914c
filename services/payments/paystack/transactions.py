"""Transactions at Paystack: initialize, verify, fetch, list."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from kit.email_addresses import ascii_email
from services.payments.paystack.channels import Channel
from services.payments.paystack.charge import Charge, parse_charge
from services.payments.paystack.errors import NoAnswer, Refused
from services.payments.paystack.parsing import MAX_ID, Unreadable, format_time, is_word, parse_integer
from services.payments.paystack.transport import Transport


@dataclass(frozen=True, slots=True)
class Initialized:
    """A transaction that waits for its payer at `authorization_url`."""

    authorization_url: str
    access_code: str


@dataclass(frozen=True, slots=True)
class TransactionPage:
    """A page of transactions. `unreadable`: the id of each item that could not be parsed, and why."""

    charges: list[Charge]
    unreadable: list[str]
    last: bool


def parse_transactions(data: list[object], *, last: bool) -> TransactionPage:
    """Parse a page. Items that cannot be parsed are listed in `unreadable`."""
    charges, unreadable = [], []
    for each in data:
        try:
            charges.append(parse_charge(each))
        except Unreadable as error:
            unreadable.append(describe_unreadable(each, error))
    return TransactionPage(charges, unreadable, last)


def describe_unreadable(data: object, error: Unreadable) -> str:
    """Return the id of an item and why it could not be parsed, for a report."""
    identifier = data.get("id") if isinstance(data, dict) else None
    return f"{parse_integer(identifier, maximum=MAX_ID)}: {error}"


class Transactions:
    """The calls under /transaction."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def initialize(
        self,
        *,
        reference: str,
        email: str,
        amount: int,
        currency: str,
        callback_url: str,
        metadata: dict[str, Any],
        channels: Sequence[Channel] | None = None,
    ) -> Initialized:
        """POST /transaction/initialize. Paystack has no idempotency key: after NoAnswer never send the reference again."""
        # Always send the currency: without it Paystack silently charges in the default currency of the integration.
        body: dict[str, Any] = {
            "reference": reference,
            "email": ascii_email(email),
            "amount": amount,
            "currency": currency,
            "callback_url": callback_url,
            "metadata": metadata,
        }
        if channels is not None:
            body["channels"] = channels
        data = await self._transport.call("initialize", "POST", "/transaction/initialize", body)
        url, code = data.get("authorization_url"), data.get("access_code")
        if not is_word(url, 2000) or not is_word(code, 100) or data.get("reference") != reference:
            raise NoAnswer("the response to initialize lacks authorization_url, access_code or our reference")
        return Initialized(url, code)

    async def verify(self, reference: str) -> Charge | None:
        """GET /transaction/verify/:reference. Return None if Paystack does not know it (error code transaction_not_found or HTTP 404)."""
        try:
            data = await self._transport.call("verify", "GET", f"/transaction/verify/{quote(reference, safe='')}")
        except Refused as refused:
            if refused.code == "transaction_not_found" or refused.status == 404:
                return None
            raise
        return parse_charge_response(data, reference)

    async def fetch(self, transaction_id: int) -> Charge | None:
        """GET /transaction/:id. Return None if Paystack does not know the id."""
        try:
            data = await self._transport.call("transaction", "GET", f"/transaction/{transaction_id}")
        except Refused as refused:
            if refused.code == "transaction_not_found" or refused.status == 404:
                return None
            raise
        charge = _parse_charge(data)
        if charge.id != transaction_id:
            raise NoAnswer("the response is about another transaction")
        return charge

    async def list_created(self, since: datetime, until: datetime, page: int) -> TransactionPage:
        """GET /transaction: transactions created from `since` to `until`, both included; 50 per page, the first page is 1."""
        period = urlencode({"from": format_time(since), "to": format_time(until)})
        data, last = await self._transport.call_for_page("transactions", f"/transaction?{period}&", page)
        return parse_transactions(data, last=last)


def parse_charge_response(data: object, reference: str) -> Charge:
    """Parse the charge in a response. Raises NoAnswer if it cannot be parsed or is about another reference."""
    charge = _parse_charge(data)
    if charge.reference != reference:
        raise NoAnswer("the response is about another reference")
    return charge


def _parse_charge(data: object) -> Charge:
    try:
        return parse_charge(data)
    except Unreadable as error:
        raise NoAnswer(f"the charge in the response cannot be parsed: {error}") from error
