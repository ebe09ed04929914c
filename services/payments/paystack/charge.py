"""A charge in Paystack's JSON: `data` of a webhook event, `data` of a response, or an item of a list.

In twelve official samples of charge.success, `amount` is a number or a string, `metadata` is "", 0, null or an object, and whole objects
are missing. The parser reads only the fields that we use; the stored body has all of them.
"""

from dataclasses import dataclass, field
from datetime import datetime

from services.payments.paystack.parsing import MAX_ID, Unreadable, parse_integer, parse_text, parse_time

REVERSED = frozenset({"reversed", "reversal-pending"})
"""Paystack's statuses of a transaction that was paid and whose money was refunded or is being refunded."""


@dataclass(frozen=True, slots=True)
class Authorization:
    """A card that can be charged again. `signature` identifies the card: it stays the same when the authorization code changes."""

    code: str = field(repr=False)
    signature: str
    last4: str | None = None
    brand: str | None = None
    exp_month: int | None = None
    exp_year: int | None = None
    bank: str | None = None


@dataclass(frozen=True, slots=True)
class Charge:
    """One attempt to pay, as Paystack reports it. Amounts are subunits of `currency`; `id` is Paystack's id of the transaction."""

    reference: str
    status: str
    amount: int
    currency: str
    domain: str
    id: int | None = None
    requested_amount: int | None = None
    fees: int | None = None
    channel: str | None = None
    gateway_response: str | None = None
    paid_at: datetime | None = None
    authorization: Authorization | None = None
    """The card, if Paystack says that it is reusable."""

    @property
    def paid(self) -> bool:
        """Return True if the payer paid, even if the money was refunded afterwards."""
        return self.status == "success" or self.status in REVERSED


def parse_charge(data: object) -> Charge:
    """Parse a charge. Raises Unreadable if reference, status, amount, currency or domain is missing or invalid."""
    if not isinstance(data, dict):
        raise Unreadable("data is not an object")
    amount = parse_integer(data.get("amount"))
    if amount is None:
        raise Unreadable("amount is missing or not a number of subunits")
    texts = {}
    for name in ("reference", "status", "currency", "domain"):
        found = parse_text(data.get(name), 200)
        if not found:
            raise Unreadable(f"{name} is missing")
        texts[name] = found
    identifier = parse_integer(data.get("id"), maximum=MAX_ID)
    return Charge(
        reference=texts["reference"],
        status=texts["status"].lower(),
        amount=amount,
        currency=texts["currency"].upper(),
        domain=texts["domain"].lower(),
        id=identifier,
        requested_amount=parse_integer(data.get("requested_amount")),
        fees=parse_integer(data.get("fees")),
        channel=parse_text(data.get("channel"), 50),
        gateway_response=parse_text(data.get("gateway_response"), 500),
        paid_at=parse_time(data.get("paid_at") or data.get("paidAt")),
        authorization=_authorization(data.get("authorization")),
    )


def _authorization(data: object) -> Authorization | None:
    """Return the authorization if it is a reusable card. Paystack sends `{}` for unpaid transactions."""
    if not isinstance(data, dict) or data.get("reusable") is not True or data.get("channel") != "card":
        return None
    code, signature = parse_text(data.get("authorization_code"), 100), parse_text(data.get("signature"), 100)
    if code is None or signature is None:
        return None
    texts = {name: parse_text(data.get(name), length) for name, length in (("last4", 4), ("brand", 50), ("bank", 100))}
    month, year = parse_integer(data.get("exp_month"), maximum=12), parse_integer(data.get("exp_year"), maximum=9999)
    return Authorization(code, signature, exp_month=month, exp_year=year, **texts)
