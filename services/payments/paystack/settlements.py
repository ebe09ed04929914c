"""Settlements at Paystack (payouts to our bank account) and lists of transactions."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.payments.paystack.charge import Charge, parse_charge
from services.payments.paystack.parsing import Unreadable, parse_integer, parse_text, parse_time
from services.payments.paystack.transport import Transport


@dataclass(frozen=True, slots=True)
class TransactionPage:
    """A page of transactions; `unreadable` says what was wrong with those that could not be read."""

    charges: list[Charge]
    unreadable: list[str]
    last: bool


@dataclass(frozen=True, slots=True)
class PaystackSettlement:
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
class SettlementPage:
    payouts: list[PaystackSettlement]
    unreadable: list[str]
    last: bool


def parse_transactions(data: list[Any], *, last: bool) -> TransactionPage:
    charges, unreadable = [], []
    for each in data:
        try:
            charges.append(parse_charge(each))
        except Unreadable as error:
            unreadable.append(_named(each, error))
    return TransactionPage(charges, unreadable, last)


def parse_settlements(data: list[Any], *, last: bool) -> SettlementPage:
    payouts, unreadable = [], []
    for each in data:
        try:
            payouts.append(_payout(each))
        except Unreadable as error:
            unreadable.append(_named(each, error))
    return SettlementPage(payouts, unreadable, last)


def _payout(data: Any) -> PaystackSettlement:
    if not isinstance(data, dict):
        raise Unreadable("a settlement that is not an object")
    numbers = {name: parse_integer(data.get(name)) for name in ("total_processed", "total_fees", "effective_amount")}
    texts = {name: parse_text(data.get(name), 50) for name in ("domain", "status", "currency")}
    identifier = parse_integer(data.get("id"), most=2**63 - 1)
    created_at = parse_time(data.get("createdAt") or data.get("created_at"))
    missing = [
        name for name, value in {**numbers, **texts, "id": identifier, "createdAt": created_at}.items() if value is None
    ]
    if missing or identifier is None or created_at is None:
        raise Unreadable(f"a settlement without {', '.join(missing)}")
    return PaystackSettlement(
        id=identifier,
        domain=(texts["domain"] or "").lower(),
        status=(texts["status"] or "").lower(),
        currency=(texts["currency"] or "").upper(),
        processed=numbers["total_processed"] or 0,
        fees=numbers["total_fees"] or 0,
        deductions=parse_integer(data.get("deductions")) or 0,
        amount=numbers["effective_amount"] or 0,
        created_at=created_at,
        paid_out_at=parse_time(data.get("settlement_date")) or created_at,
    )


def _named(data: Any, error: Unreadable) -> str:
    identifier = data.get("id") if isinstance(data, dict) else None
    return f"{parse_integer(identifier, most=2**63 - 1)}: {error}"


class Settlements:
    """/settlement"""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def page(self, page: int) -> SettlementPage:
        """GET /settlement, newest first, fifty a page, from page 1."""
        data, last = await self._transport.page("payouts", "/settlement?", page)
        return parse_settlements(data, last=last)

    async def transactions(self, payout_id: int, page: int) -> TransactionPage:
        """GET /settlement/:id/transactions, fifty a page, from page 1."""
        data, last = await self._transport.page("payout_transactions", f"/settlement/{payout_id}/transactions?", page)
        return parse_transactions(data, last=last)
