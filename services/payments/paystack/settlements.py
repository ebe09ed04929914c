"""Settlements: what was paid out to our bank, and what came in it."""

from services.payments.ledger.told import Listing, PayoutListing, read_listing, read_payouts
from services.payments.paystack.wire import Wire


class Settlements:
    """/settlement"""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def page(self, page: int) -> PayoutListing:
        """GET /settlement, newest first, fifty a page, from page 1."""
        data, last = await self._wire.page("payouts", "/settlement?", page)
        return read_payouts(data, last=last)

    async def transactions(self, payout_id: int, page: int) -> Listing:
        """GET /settlement/:id/transactions, fifty a page, from page 1."""
        data, last = await self._wire.page("payout_transactions", f"/settlement/{payout_id}/transactions?", page)
        return read_listing(data, last=last)
