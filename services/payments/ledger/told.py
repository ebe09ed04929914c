"""What Paystack's lists say of transactions and of payouts, which it calls settlements; read leniently, used strictly."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.payments.charges import Charge, Unreadable, read_charge, read_subunits, read_text, read_time


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of transactions; `unreadable` says what was wrong with those that could not be read."""

    charges: list[Charge]
    unreadable: list[str]
    last: bool


@dataclass(frozen=True, slots=True)
class ToldPayout:
    """In subunits: `processed` was paid, `fees` and `deductions` (refunds, mostly) were taken from it, `amount` went to the bank."""

    id: int
    domain: str
    status: str
    currency: str
    processed: int
    fees: int
    deductions: int
    amount: int
    created_at: datetime
    paid_out_at: datetime


@dataclass(frozen=True, slots=True)
class PayoutListing:
    payouts: list[ToldPayout]
    unreadable: list[str]
    last: bool


def read_listing(data: list[Any], *, last: bool) -> Listing:
    charges, unreadable = [], []
    for each in data:
        try:
            charges.append(read_charge(each))
        except Unreadable as error:
            unreadable.append(_named(each, error))
    return Listing(charges, unreadable, last)


def read_payouts(data: list[Any], *, last: bool) -> PayoutListing:
    payouts, unreadable = [], []
    for each in data:
        try:
            payouts.append(_payout(each))
        except Unreadable as error:
            unreadable.append(_named(each, error))
    return PayoutListing(payouts, unreadable, last)


def _payout(data: Any) -> ToldPayout:
    if not isinstance(data, dict):
        raise Unreadable("a settlement that is not an object")
    numbers = {name: read_subunits(data.get(name)) for name in ("total_processed", "total_fees", "effective_amount")}
    texts = {name: read_text(data.get(name), 50) for name in ("domain", "status", "currency")}
    identifier = read_subunits(data.get("id"), most=2**63 - 1)
    created_at = read_time(data.get("createdAt") or data.get("created_at"))
    missing = [
        name for name, value in {**numbers, **texts, "id": identifier, "createdAt": created_at}.items() if value is None
    ]
    if missing or identifier is None or created_at is None:
        raise Unreadable(f"a settlement without {', '.join(missing)}")
    return ToldPayout(
        id=identifier,
        domain=(texts["domain"] or "").lower(),
        status=(texts["status"] or "").lower(),
        currency=(texts["currency"] or "").upper(),
        processed=numbers["total_processed"] or 0,
        fees=numbers["total_fees"] or 0,
        deductions=read_subunits(data.get("deductions")) or 0,
        amount=numbers["effective_amount"] or 0,
        created_at=created_at,
        paid_out_at=read_time(data.get("settlement_date")) or created_at,
    )


def _named(data: Any, error: Unreadable) -> str:
    identifier = data.get("id") if isinstance(data, dict) else None
    return f"{read_subunits(identifier, most=2**63 - 1)}: {error}"
