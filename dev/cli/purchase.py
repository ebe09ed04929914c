"""One purchase through the public API, each step printed with its duration."""

import asyncio
import re
import secrets
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
from rich.console import Console as Terminal
from rich.markup import escape

from contracts.money import format_money

STOCK = 5
QUANTITY = 2
PRICE = 450_000
CURRENCY = "NGN"
DELIVERY_SECONDS = 30.0
MAIL_SECONDS = 30.0
TOKEN = re.compile(r"(?<![\w-])[\w-]{43}(?![\w-])")
MANUAL_PAYMENT_SECONDS = 900.0
POLL_SECONDS = 0.05

Json = dict[str, Any]


class PurchaseFailed(Exception):
    """A step of the purchase failed. The message contains the service's response or the reason."""


@dataclass(frozen=True)
class Shop:
    """The addresses of a shop, and the administrator who adds the product. `mail_catcher` is empty if mail goes to a real server."""

    auth: str
    catalog: str
    payments: str
    admin_email: str
    admin_password: str
    mail_catcher: str = ""


class Purchase:
    """The steps of one purchase."""

    def __init__(self, shop: Shop, client: httpx.AsyncClient, terminal: Terminal) -> None:
        self._shop = shop
        self._client = client
        self._terminal = terminal
        self._steps = 0

    async def make(self) -> None:
        """Add a product, register a customer, order, pay, and wait for the delivery. Raises PurchaseFailed."""
        suffix = secrets.token_hex(4)
        product = await self._add_product(suffix)
        customer = await self._register(suffix)
        order = await self._order(suffix, product, customer)
        payment = await self._call(
            f"the customer starts a payment of {format_money(order['amount'], order['currency'])}",
            "POST",
            f"{self._shop.payments}/payments",
            headers={**customer, "Idempotency-Key": f"payment-{suffix}"},
            json={"order_id": order["id"]},
        )
        seconds = await self._pay(payment)
        await self._wait_delivered(order, payment, customer, seconds)
        url = f"{self._shop.catalog}/catalog/products/{product['id']}"
        stock = (await self._call("the stock afterwards", "GET", url, params={"include": "stock"}))["stock"]
        ids = f"order [bold]{order['id']}[/], payment [bold]{payment['reference']}[/]"
        self._terminal.print(f"\n  stock {STOCK} → [bold]{stock}[/], {ids}")
        if stock != STOCK - QUANTITY:
            raise PurchaseFailed(f"the stock is {stock} instead of {STOCK - QUANTITY}")

    async def _add_product(self, suffix: str) -> Json:
        admin = await self._log_in("the administrator logs in", self._shop.admin_email, self._shop.admin_password)
        return await self._call(
            f"the administrator adds {STOCK} lamps, {format_money(PRICE, CURRENCY)} each",
            "POST",
            f"{self._shop.catalog}/catalog/products",
            headers=admin,
            json={
                "name": f"Lamp {suffix}",
                "slug": f"lamp-{suffix}",
                "price": PRICE,
                "currency": CURRENCY,
                "stock": STOCK,
            },
        )

    async def _register(self, suffix: str) -> dict[str, str]:
        """Register a customer and return their Authorization header."""
        email, password = f"ada-{suffix}@example.com", secrets.token_urlsafe(18)
        account = {"email": email, "password": password, "name": "Ada"}
        await self._call(f"{email} registers", "POST", f"{self._shop.auth}/auth/users", json=account)
        if self._shop.mail_catcher:
            await self._verify(email)
        return await self._log_in("the customer logs in", email, password)

    async def _verify(self, email: str) -> None:
        """Wait for the mail that asks the customer to verify the address, and send its token back."""
        started = time.monotonic()
        while not (mails := (await self._request("GET", f"{self._shop.mail_catcher}/mails?to={email}"))["items"]):
            if time.monotonic() - started > MAIL_SECONDS:
                raise PurchaseFailed(f"after {MAIL_SECONDS:.0f} s there is no mail to {email}")
            await asyncio.sleep(POLL_SECONDS)
        self._print_step(
            f"mail: {escape(mails[0]['subject'])}", started, f"{self._shop.mail_catcher}/mail/{mails[0]['id']}"
        )
        token = TOKEN.search(mails[0]["text"])
        if token is None:
            raise PurchaseFailed("the mail has no token")
        url = f"{self._shop.auth}/auth/email/verify"
        await self._call(f"{email} is verified", "POST", url, json={"token": token.group()})

    async def _order(self, suffix: str, product: Json, customer: dict[str, str]) -> Json:
        """Find the product with a search, and order it."""
        url = f"{self._shop.catalog}/catalog/products"
        found = await self._call(f"the customer searches for {suffix}", "GET", url, params={"q": suffix})
        if product["id"] not in [item["id"] for item in found["items"]]:
            raise PurchaseFailed(f"the search did not find the product: {found}")
        return await self._call(
            f"the customer orders {QUANTITY} lamps",
            "POST",
            f"{self._shop.catalog}/catalog/orders",
            headers={**customer, "Idempotency-Key": f"order-{suffix}"},
            json={"items": [{"product_id": product["id"], "quantity": QUANTITY}]},
        )

    async def _log_in(self, title: str, email: str, password: str) -> dict[str, str]:
        form = {"grant_type": "password", "username": email, "password": password}
        token = await self._call(title, "POST", f"{self._shop.auth}/auth/token", data=form)
        return {"Authorization": f"Bearer {token['access_token']}"}

    async def _pay(self, payment: Json) -> float:
        """Pay at the sandbox, or ask the developer to pay at the real Paystack. Return the seconds to wait for the delivery."""
        page = urlsplit(payment["authorization_url"])
        if page.hostname and page.hostname.endswith("paystack.com"):
            self._terminal.print(
                f"\n  open this page and pay within {MANUAL_PAYMENT_SECONDS / 60:.0f} minutes:\n  {payment['authorization_url']}\n"
            )
            return MANUAL_PAYMENT_SECONDS
        await self._call(
            "the payer pays at the checkout page",
            "POST",
            f"{page.scheme}://{page.netloc}/sandbox/transactions/{payment['reference']}/pay",
            json={"outcome": "success"},
        )
        return DELIVERY_SECONDS

    async def _wait_delivered(self, order: Json, payment: Json, customer: dict[str, str], seconds: float) -> None:
        """Wait until the webhook event is processed, the payment event is consumed and the order is delivered."""
        started = time.monotonic()
        while True:
            order = await self._request("GET", f"{self._shop.catalog}/catalog/orders/{order['id']}", headers=customer)
            if order["status"] == "delivered":
                break
            if order["status"] not in {"pending", "paid"}:
                raise PurchaseFailed(f"the order is {order['status']}")
            if time.monotonic() - started > seconds:
                url = f"{self._shop.payments}/payments/{payment['reference']}"
                status = (await self._request("GET", url, headers=customer))["status"]
                raise PurchaseFailed(
                    f"after {seconds:.0f} s the order is still {order['status']} and its payment {status}"
                )
            await asyncio.sleep(POLL_SECONDS)
        self._print_step("webhook, settlement, event, delivery", started, "")

    async def _call(self, title: str, method: str, url: str, **request: Any) -> Json:
        """Send a request and print it as a step."""
        started = time.monotonic()
        try:
            answer = await self._request(method, url, **request)
        except PurchaseFailed:
            self._print_step(f"[red]{escape(title)}[/]", started, f"{method} {urlsplit(url).path}")
            raise
        self._print_step(escape(title), started, f"{method} {urlsplit(url).path}")
        return answer

    async def _request(self, method: str, url: str, **request: Any) -> Json:
        try:
            response = await self._client.request(method, url, **request)
        except httpx.HTTPError as error:
            raise PurchaseFailed(f"{method} {url}: {error or type(error).__name__}") from error
        try:
            body = response.json()
        except ValueError:
            body = None
        if response.status_code == 204:
            return {}
        if response.is_success and isinstance(body, dict):
            return body
        raise PurchaseFailed(format_error(method, url, response, body))

    def _print_step(self, title: str, started: float, call: str) -> None:
        self._steps += 1
        milliseconds = (time.monotonic() - started) * 1000
        self._terminal.print(f"  {self._steps:>2}  {milliseconds:>7.0f} ms  {title}  [dim]{escape(call)}[/]")


def format_error(method: str, url: str, response: httpx.Response, body: Any) -> str:
    """Format an error answer: problem+json (RFC 9457) field by field, anything else as text."""
    head = f"{method} {url} answered {response.status_code}"
    if not isinstance(body, dict):
        return f"{head}\n    {response.text[:500]}"
    lines = [f"    {name}: {value}" for name, value in body.items()]
    request_id = response.headers.get("x-request-id")
    return "\n".join([head, *lines, *([f"    request: {request_id}"] if request_id else [])])
