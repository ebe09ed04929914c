"""One purchase through the public API: its steps. A variant of `make demo` is a subclass that replaces some of them."""

import asyncio
import re
import secrets
import time
from urllib.parse import urlsplit

from rich.markup import escape

from contracts.money import format_money
from dev.cli.calls import Calls, Json, PurchaseFailed, Shop

STOCK = 5
QUANTITY = 2
PRICE = 450_000
CURRENCY = "NGN"
DELIVERY_SECONDS = 30.0
MAIL_SECONDS = 30.0
TOKEN = re.compile(r"(?<![\w-])[\w-]{43}(?![\w-])")
MANUAL_PAYMENT_SECONDS = 900.0
POLL_SECONDS = 0.05

Headers = dict[str, str]


class Purchase:
    """A registered customer buys and pays with a card."""

    who = "the customer"

    def __init__(self, shop: Shop, calls: Calls) -> None:
        self.shop = shop
        self.calls = calls
        self.suffix = secrets.token_hex(4)
        """Makes the names of this purchase unique."""

    async def make(self) -> None:
        """Add a product, become a buyer, order, pay, and wait for the delivery. Raises PurchaseFailed."""
        product = await self.add_product()
        buyer = await self.become_buyer()
        order = await self.order(product, buyer)
        payment = await self.start_payment(order, buyer)
        seconds = await self.pay(payment)
        await self.wait_delivered(order, payment, buyer, seconds)
        await self.after_delivery(order, buyer)
        url = f"{self.shop.catalog}/catalog/products/{product['id']}"
        stock = (await self.calls.call("the stock afterwards", "GET", url, params={"include": "stock"}))["stock"]
        ids = f"order [bold]{order['id']}[/], payment [bold]{payment['reference']}[/]"
        self.calls.print(f"\n  stock {STOCK} → [bold]{stock}[/], {ids}")
        if stock != STOCK - QUANTITY:
            raise PurchaseFailed(f"the stock is {stock} instead of {STOCK - QUANTITY}")

    async def add_product(self) -> Json:
        """Add a product as the administrator."""
        admin = await self.log_in("the administrator logs in", self.shop.admin_email, self.shop.admin_password)
        return await self.calls.call(
            f"the administrator adds {STOCK} lamps, {format_money(PRICE, CURRENCY)} each",
            "POST",
            f"{self.shop.catalog}/catalog/products",
            headers=admin,
            json={
                "name": f"Lamp {self.suffix}",
                "slug": f"lamp-{self.suffix}",
                "price": PRICE,
                "currency": CURRENCY,
                "stock": STOCK,
            },
        )

    async def become_buyer(self) -> Headers:
        """Register a customer and return their Authorization header."""
        return await self.register(f"ada-{self.suffix}@example.com")

    async def register(self, email: str) -> Headers:
        """Register an account, verify its address if there is a mail catcher, log in and return the Authorization header."""
        account = {"email": email, "password": secrets.token_urlsafe(18), "name": "Ada"}
        url = f"{self.shop.auth}/auth/users"
        await self.calls.call(f"{email} registers", "POST", url, json=account)
        if self.shop.mail_catcher:
            await self._verify(email)
        return await self.log_in(f"{self.who} logs in", email, account["password"])

    async def _verify(self, email: str) -> None:
        """Wait for the mail that asks the customer to verify the address, and send its token back."""
        started = time.monotonic()
        while not (mails := (await self.calls.request("GET", f"{self.shop.mail_catcher}/mails?to={email}"))["items"]):
            if time.monotonic() - started > MAIL_SECONDS:
                raise PurchaseFailed(f"after {MAIL_SECONDS:.0f} s there is no mail to {email}")
            await asyncio.sleep(POLL_SECONDS)
        self.calls.print_step(
            f"mail: {escape(mails[0]['subject'])}", started, f"{self.shop.mail_catcher}/mail/{mails[0]['id']}"
        )
        token = TOKEN.search(mails[0]["text"])
        if token is None:
            raise PurchaseFailed("the mail has no token")
        url = f"{self.shop.auth}/auth/email/verify"
        await self.calls.call(f"{email} is verified", "POST", url, json={"token": token.group()})

    async def log_in(self, title: str, email: str, password: str) -> Headers:
        """Log in with a password and return the Authorization header."""
        form = {"grant_type": "password", "username": email, "password": password}
        token = await self.calls.call(title, "POST", f"{self.shop.auth}/auth/token", data=form)
        return {"Authorization": f"Bearer {token['access_token']}"}

    async def order(self, product: Json, buyer: Headers, **body: object) -> Json:
        """Find the product with a search, and order it. `body`: further fields of the order."""
        url = f"{self.shop.catalog}/catalog/products"
        found = await self.calls.call(f"{self.who} searches for {self.suffix}", "GET", url, params={"q": self.suffix})
        if product["id"] not in [item["id"] for item in found["items"]]:
            raise PurchaseFailed(f"the search did not find the product: {found}")
        return await self.calls.call(
            f"{self.who} orders {QUANTITY} lamps",
            "POST",
            f"{self.shop.catalog}/catalog/orders",
            headers={**buyer, "Idempotency-Key": f"order-{self.suffix}"},
            json={"items": [{"product_id": product["id"], "quantity": QUANTITY}], **body},
        )

    async def start_payment(self, order: Json, buyer: Headers, **body: object) -> Json:
        """Start a payment for the order. `body`: further fields of the request."""
        return await self.calls.call(
            f"{self.who} starts a payment of {format_money(order['amount'], order['currency'])}",
            "POST",
            f"{self.shop.payments}/payments",
            headers={**buyer, "Idempotency-Key": f"payment-{self.suffix}"},
            json={"order_id": order["id"], **body},
        )

    async def pay(self, payment: Json) -> float:
        """Pay at the sandbox, or ask the developer to pay at the real Paystack. Return the seconds to wait for the delivery."""
        page = urlsplit(payment["authorization_url"])
        if page.hostname and page.hostname.endswith("paystack.com"):
            self.calls.print(
                f"\n  open this page and pay within {MANUAL_PAYMENT_SECONDS / 60:.0f} minutes:\n  {payment['authorization_url']}\n"
            )
            return MANUAL_PAYMENT_SECONDS
        await self.calls.call(
            "the payer pays at the checkout page",
            "POST",
            f"{page.scheme}://{page.netloc}/sandbox/transactions/{payment['reference']}/pay",
            json={"outcome": "success"},
        )
        return DELIVERY_SECONDS

    async def wait_delivered(self, order: Json, payment: Json, buyer: Headers, seconds: float) -> None:
        """Wait until the webhook event is processed, the payment event is consumed and the order is delivered."""
        started = time.monotonic()
        while (status := await self.order_status(order, buyer)) != "delivered":
            if status not in {"pending", "paid"}:
                raise PurchaseFailed(f"the order is {status}")
            if time.monotonic() - started > seconds:
                url = f"{self.shop.payments}/payments/{payment['reference']}"
                found = (await self.calls.request("GET", url, headers=buyer))["status"]
                raise PurchaseFailed(f"after {seconds:.0f} s the order is still {status} and its payment {found}")
            await asyncio.sleep(POLL_SECONDS)
        self.calls.print_step("webhook, settlement, event, delivery", started, "")

    async def order_status(self, order: Json, buyer: Headers) -> str:
        """Return the status of the order, as the buyer reads it."""
        url = f"{self.shop.catalog}/catalog/orders/{order['id']}"
        return str((await self.calls.request("GET", url, headers=buyer))["status"])

    async def after_delivery(self, order: Json, buyer: Headers) -> None:
        """Use the delivered order. Only some variants do."""
