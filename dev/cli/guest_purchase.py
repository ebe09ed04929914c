"""`make demo GUEST=1`: a guest buys without registering, reads the order without logging in, and moves it to an account afterwards."""

import asyncio
import time

from dev.cli.calls import Json, PurchaseFailed
from dev.cli.purchase import POLL_SECONDS, Headers, Purchase

MERGE_SECONDS = 30.0


class GuestPurchase(Purchase):
    """A guest buys. The payment gets the e-mail address, because a guest has none."""

    who = "the guest"
    refresh_token = ""

    @property
    def email(self) -> str:
        return f"guest-{self.suffix}@example.com"

    async def become_buyer(self) -> Headers:
        """Become a guest and return the Authorization header."""
        guest = await self.calls.call(
            "a guest gets tokens without registering", "POST", f"{self.shop.auth}/auth/guests"
        )
        self.refresh_token = guest["refresh_token"]
        return {"Authorization": f"Bearer {guest['access_token']}"}

    async def start_payment(self, order: Json, buyer: Headers, **body: object) -> Json:
        """Start a payment with the e-mail address to which Paystack sends the receipt."""
        return await super().start_payment(order, buyer, email=self.email, **body)

    async def order_status(self, order: Json, buyer: Headers) -> str:
        """Return the status of the order, read with its status token only."""
        return str((await self.calls.request("GET", self._status_url(order)))["status"])

    async def after_delivery(self, order: Json, buyer: Headers) -> None:
        """Register an account, merge the guest into it, and wait until the account has the order. The status token stays valid."""
        await self.calls.call("the holder of the status token reads the order", "GET", self._status_url(order))
        account = await self.register(self.email)
        url = f"{self.shop.auth}/auth/guests/merge"
        merged = {"refresh_token": self.refresh_token}
        await self.calls.call("the guest is merged into the account", "POST", url, headers=account, json=merged)
        started = time.monotonic()
        while not await self._has_order(account, order):
            if time.monotonic() - started > MERGE_SECONDS:
                raise PurchaseFailed(f"after {MERGE_SECONDS:.0f} s the account does not have the order of the guest")
            await asyncio.sleep(POLL_SECONDS)
        self.calls.print_step("event: the order belongs to the account", started, "")
        if await self.order_status(order, account) != "delivered":
            raise PurchaseFailed("the status token shows another status than before")

    async def _has_order(self, account: Headers, order: Json) -> bool:
        found = await self.calls.request("GET", f"{self.shop.catalog}/catalog/orders", headers=account)
        return order["id"] in [each["id"] for each in found["items"]]

    def _status_url(self, order: Json) -> str:
        return f"{self.shop.catalog}/catalog/orders/status/{order['status_token']}"
