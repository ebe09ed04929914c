"""A charge as Paystack tells it, in a webhook or in the answer to verify; read leniently, used strictly.

In twelve official samples of charge.success `amount` came as a number and as a string, `metadata` as "", 0, null or an object, and
whole objects were missing. What we need is read; the rest stays in the stored body.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic import AwareDatetime, TypeAdapter, ValidationError

MAX_SUBUNITS = 2**53
_TIME: TypeAdapter[datetime] = TypeAdapter(AwareDatetime)


class Unreadable(Exception):
    """What came does not say what it must; the message says what is missing. No other try can help."""


@dataclass(frozen=True, slots=True)
class Authorization:
    """A card that may be charged again. `signature` is the card's, the same whatever code it has."""

    code: str = field(repr=False)
    signature: str
    last4: str | None = None
    brand: str | None = None
    exp_month: int | None = None
    exp_year: int | None = None
    bank: str | None = None


@dataclass(frozen=True, slots=True)
class Charge:
    """Amounts in subunits of `currency`. `id` is Paystack's, an unsigned 64-bit number that we keep in a bigint."""

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
    """Only what is reusable."""

    @property
    def paid(self) -> bool:
        """Whether money came, be it that it went back since."""
        return self.status in {"success", "reversed", "reversal-pending"}


def read_charge(data: Any) -> Charge:
    """Raises Unreadable where reference, status, amount, currency or domain is missing or nonsense."""
    if not isinstance(data, dict):
        raise Unreadable("data is not an object")
    amount = read_subunits(data.get("amount"))
    if amount is None:
        raise Unreadable("amount is missing or not a number of subunits")
    texts = {}
    for name in ("reference", "status", "currency", "domain"):
        found = read_text(data.get(name), 200)
        if not found:
            raise Unreadable(f"{name} is missing")
        texts[name] = found
    identifier = read_subunits(data.get("id"), most=2**63 - 1)
    return Charge(
        reference=texts["reference"],
        status=texts["status"].lower(),
        amount=amount,
        currency=texts["currency"].upper(),
        domain=texts["domain"].lower(),
        id=identifier,
        requested_amount=read_subunits(data.get("requested_amount")),
        fees=read_subunits(data.get("fees")),
        channel=read_text(data.get("channel"), 50),
        gateway_response=read_text(data.get("gateway_response"), 500),
        paid_at=read_time(data.get("paid_at") or data.get("paidAt")),
        authorization=_authorization(data.get("authorization")),
    )


def _authorization(data: Any) -> Authorization | None:
    """`{}` where nothing was paid; cards only, and only those that Paystack calls reusable."""
    if not isinstance(data, dict) or data.get("reusable") is not True or data.get("channel") != "card":
        return None
    code, signature = read_text(data.get("authorization_code"), 100), read_text(data.get("signature"), 100)
    if code is None or signature is None:
        return None
    texts = {name: read_text(data.get(name), most) for name, most in (("last4", 4), ("brand", 50), ("bank", 100))}
    month, year = read_subunits(data.get("exp_month"), most=12), read_subunits(data.get("exp_year"), most=9999)
    return Authorization(code, signature, exp_month=month, exp_year=year, **texts)


def read_subunits(value: Any, most: int = MAX_SUBUNITS) -> int | None:
    """A whole number from 0 to `most`, which Paystack writes as a number or as a string of digits."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer() and abs(value) <= most:
        value = int(value)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 20:
        value = int(value)
    return value if isinstance(value, int) and 0 <= value <= most else None


def read_text(value: Any, most: int) -> str | None:
    """At most `most` characters, storable; None for what is no text, or empty."""
    if not isinstance(value, str):
        return None
    # Postgres stores neither NUL nor lone surrogates.
    return value[:most].replace("\x00", "").encode("utf-8", "replace").decode() or None


def read_time(value: Any) -> datetime | None:
    """ISO 8601 with an offset, as UTC."""
    if not isinstance(value, str):
        return None
    try:
        return _TIME.validate_python(value[:40]).astimezone(UTC)
    except (ValidationError, OverflowError):  # also what lies before year 1 or after 9999 in UTC
        return None
