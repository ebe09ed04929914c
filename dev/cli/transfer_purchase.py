"""`make demo TRANSFER=1`: a customer buys and pays by bank transfer from a slow bank."""

from urllib.parse import urlsplit

from dev.cli.calls import Json, PurchaseFailed
from dev.cli.purchase import DELIVERY_SECONDS, Headers, Purchase

BANK_SECONDS = 5
"""How long the payer's bank takes in the sandbox."""


class TransferPurchase(Purchase):
    """A registered customer buys and pays by bank transfer. While the bank works, the payment stays pending."""

    buyer: Headers

    async def start_payment(self, order: Json, buyer: Headers, **body: object) -> Json:
        """Start a payment whose checkout page offers only the bank transfer."""
        self.buyer = buyer
        return await super().start_payment(order, buyer, channels=["bank_transfer"], **body)

    async def pay(self, payment: Json) -> float:
        """Send the transfer from a slow bank in the sandbox, or ask the developer to pay at the real Paystack."""
        page = urlsplit(payment["authorization_url"])
        if page.hostname and page.hostname.endswith("paystack.com"):
            return await super().pay(payment)
        controls = f"{page.scheme}://{page.netloc}/sandbox/transactions/{payment['reference']}"
        shown = await self.calls.call(
            "the payer chooses bank transfer", "POST", f"{controls}/channel", json={"channel": "bank_transfer"}
        )
        account = f"{shown['data']['account_number']}, {shown['data']['bank']}"
        await self.calls.call(
            f"the payer sends the money to {account}; the bank takes {BANK_SECONDS} s",
            "POST",
            f"{controls}/transfer",
            json={"after_ms": BANK_SECONDS * 1000},
        )
        url = f"{self.shop.payments}/payments/{payment['reference']}/verify"
        found = await self.calls.call("meanwhile the payment is pending", "POST", url, headers=self.buyer)
        if found["status"] != "pending":
            raise PurchaseFailed(f"the payment is {found['status']} while the bank works")
        return BANK_SECONDS + DELIVERY_SECONDS
