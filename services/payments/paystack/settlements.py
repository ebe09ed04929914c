"""Settlements at Paystack: its payouts to our bank account, and the transactions in each payout."""

from dataclasses import dataclass
from datetime import datetime

from services.payments.paystack.parsing import MAX_ID, Unreadable, parse_integer, parse_text, parse_time
from services.payments.paystack.transactions import TransactionPage, describe_unreadable, parse_transactions
from services.payments.paystack.transport import Transport


@dataclass(frozen=True, slots=True)
class PaystackSettlement:
    """A settlement. Amounts are subunits: `amount` is paid out; it is `processed` minus `fees` and minus `deductions` (mostly refunds)."""

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
    """A page of settlements. `unreadable`: the id of each item that could not be parsed, and why."""

    settlements: list[PaystackSettlement]
    unreadable: list[str]
    last: bool


def parse_settlements(data: list[object], *, last: bool) -> SettlementPage:
    """Parse a page. Items that cannot be parsed are listed in `unreadable`."""
    settlements, unreadable = [], []
    for each in data:
        try:
            settlements.append(_parse_settlement(each))
        except Unreadable as error:
            unreadable.append(describe_unreadable(each, error))
    return SettlementPage(settlements, unreadable, last)


def _parse_settlement(data: object) -> PaystackSettlement:
    if not isinstance(data, dict):
        raise Unreadable("a settlement that is not an object")
    numbers = {name: parse_integer(data.get(name)) for name in ("total_processed", "total_fees", "effective_amount")}
    texts = {name: parse_text(data.get(name), 50) for name in ("domain", "status", "currency")}
    identifier = parse_integer(data.get("id"), maximum=MAX_ID)
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


class Settlements:
    """The calls under /settlement."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def page(self, page: int) -> SettlementPage:
        """GET /settlement: newest first, 50 per page, the first page is 1."""
        data, last = await self._transport.call_for_page("payouts", "/settlement?", page)
        return parse_settlements(data, last=last)

    async def transactions(self, settlement_id: int, page: int) -> TransactionPage:
        """GET /settlement/:id/transactions: 50 per page, the first page is 1."""
        data, last = await self._transport.call_for_page(
            "payout_transactions", f"/settlement/{settlement_id}/transactions?", page
        )
        return parse_transactions(data, last=last)
