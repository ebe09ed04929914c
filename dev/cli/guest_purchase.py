"""`make demo GUEST=1`: a guest buys without registering, and registers afterwards."""

from dev.cli.calls import Json, PurchaseFailed
from dev.cli.purchase import Headers, Purchase


class GuestPurchase(Purchase):
    """A guest buys. The payment gets the e-mail address, because a guest has none."""

    who = "the guest"

    async def become_buyer(self) -> Headers:
        """Become a guest and return the Authorization header."""
        guest = await self.calls.call("a guest begins", "POST", f"{self.shop.auth}/auth/guests")
        return {"Authorization": f"Bearer {guest['access_token']}"}

    async def start_payment(self, order: Json, buyer: Headers, **body: object) -> Json:
        """Start a payment with the e-mail address to which Paystack sends the receipt."""
        return await super().start_payment(order, buyer, email=self.email, **body)

    async def after_delivery(self, order: Json, buyer: Headers) -> None:
        """Register as the guest, and read the order with the new account. Raises PurchaseFailed if the account has not got it."""
        account = await self.register(self.email, buyer)
        url = f"{self.shop.catalog}/catalog/orders/{order['id']}"
        found = await self.calls.call("the new account has the order", "GET", url, headers=account)
        if found["status"] != "delivered":
            raise PurchaseFailed(f"the order of the new account is {found['status']}")

    @property
    def email(self) -> str:
        return f"guest-{self.suffix}@example.com"
