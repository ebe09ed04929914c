"""`make demo`: one purchase, from registration to delivery, through the public API alone."""

import asyncio
import os
import secrets
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
from rich.console import Console as Terminal
from rich.markup import escape

from dev.cli.run import FOLDER
from dev.process.console import Console
from dev.process.supervisor import NotStarted
from dev.stack.stack import PROJECT, Stack

STOCK = 5
BOUGHT = 2
PRICE = 450_000
CURRENCY = "NGN"
DELIVERY_SECONDS = 30.0
PERSON_SECONDS = 900.0

Json = dict[str, Any]
terminal = Terminal(highlight=False, soft_wrap=True)


class HopFailed(Exception):
    """A step of the purchase did not go as it should; the message is what the service answered."""


@dataclass(frozen=True)
class Shop:
    """Where a shop answers, and who may put goods on its shelves."""

    auth: str
    catalog: str
    payments: str
    admin_email: str
    admin_password: str


def main() -> int:
    """Makes one purchase; answers 0 only if it was delivered."""
    try:
        return asyncio.run(demo())
    except (NotStarted, HopFailed) as error:
        terminal.print(f"\n[bold red]not delivered[/]  {escape(str(error))}")
    except KeyboardInterrupt:
        terminal.print("\ninterrupted")
    return 1


async def demo() -> int:
    started = time.monotonic()
    async with a_shop() as shop, httpx.AsyncClient(timeout=30, trust_env=False) as client:
        terminal.print()
        await Purchase(shop, client).make()
    terminal.print(f"\n[bold green]delivered[/]  {time.monotonic() - started:.1f} s in all")
    return 0


@asynccontextmanager
async def a_shop() -> AsyncIterator[Shop]:
    """The shop behind GATEWAY, or the one that `make run` runs here, or one of our own that goes afterwards."""
    if gateway := os.environ.get("GATEWAY"):
        env = read_env(PROJECT / ".env")
        missing = [name for name in ("AUTH_ADMIN_EMAIL", "AUTH_ADMIN_PASSWORD") if not env.get(name)]
        if missing:
            raise NotStarted(
                f"GATEWAY is given: then {' and '.join(missing)} must stand in .env (`make env` makes one)"
            )
        url = gateway.rstrip("/")
        terminal.print(f"using the shop behind {url}")
        yield Shop(url, url, url, env["AUTH_ADMIN_EMAIL"], env["AUTH_ADMIN_PASSWORD"])
        return
    running = read_env(FOLDER / "stack.env")
    if is_alive(running):
        terminal.print("using the shop that `make run` runs here")
        yield shop_of(running)
        return
    terminal.print("no shop runs here: starting one on free ports, in a temporary folder")
    console = Console(own=sys.stdout)
    stack = Stack(console=console)
    try:
        async with stack:
            console.flush()
            yield shop_of(stack.env)
            terminal.print()
    finally:
        console.close()


def shop_of(env: dict[str, str]) -> Shop:
    """The shop that a stack.env describes."""
    return Shop(env["AUTH_URL"], env["CATALOG_URL"], env["PAYMENTS_URL"], env["ADMIN_EMAIL"], env["ADMIN_PASSWORD"])


def read_env(path: Path) -> dict[str, str]:
    """The KEY=VALUE lines of a file; nothing when there is no such file."""
    if not path.exists():
        return {}
    pairs = (line.split("=", 1) for line in path.read_text().splitlines() if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip().strip("\"'") for name, value in pairs}


def is_alive(env: dict[str, str]) -> bool:
    """Whether the processes that a stack.env names are there; a stack that was killed leaves its file behind."""
    pids = [env.get(f"PID_{name}", "") for name in ("AUTH", "CATALOG", "PAYMENTS", "PAYMENTS_WORKER", "CATALOG_WORKER")]
    return all(pid.isdecimal() and psutil.pid_exists(int(pid)) for pid in pids)


def money(amount: int, currency: str) -> str:
    """450000, NGN: NGN 4,500.00."""
    return f"{currency} {amount / 100:,.2f}"


class Purchase:
    """The hops of one purchase, each shown with the milliseconds that it took."""

    def __init__(self, shop: Shop, client: httpx.AsyncClient) -> None:
        self._shop = shop
        self._client = client
        self._hops = 0

    async def make(self) -> None:
        shop = self._shop
        run = secrets.token_hex(4)
        admin = await self._token("the administrator signs in", shop.admin_email, shop.admin_password)
        product = await self._call(
            f"puts {STOCK} lamps on the shelf, {money(PRICE, CURRENCY)} each",
            "POST",
            f"{shop.catalog}/catalog/products",
            headers=admin,
            json={"name": f"Lamp {run}", "slug": f"lamp-{run}", "price": PRICE, "currency": CURRENCY, "stock": STOCK},
        )
        email, password = f"ada-{run}@example.com", secrets.token_urlsafe(18)
        await self._call(
            f"{email} registers",
            "POST",
            f"{shop.auth}/auth/users",
            json={"email": email, "password": password, "name": "Ada"},
        )
        buyer = await self._token("signs in", email, password)
        found = await self._call(
            f"searches for lamp {run}", "GET", f"{shop.catalog}/catalog/products", params={"q": run}
        )
        if product["id"] not in [item["id"] for item in found["items"]]:
            raise HopFailed(f"the search does not find the lamp: {found}")
        order = await self._call(
            f"orders {BOUGHT} of them",
            "POST",
            f"{shop.catalog}/catalog/orders",
            headers={**buyer, "Idempotency-Key": f"order-{run}"},
            json={"items": [{"product_id": product["id"], "quantity": BOUGHT}]},
        )
        payment = await self._call(
            f"starts to pay {money(order['amount'], order['currency'])}",
            "POST",
            f"{shop.payments}/payments",
            headers={**buyer, "Idempotency-Key": f"payment-{run}"},
            json={"order_id": order["id"]},
        )
        seconds = await self._pay(payment)
        await self._delivery(order, payment, buyer, seconds)
        shelf = await self._call("the shelf afterwards", "GET", f"{shop.catalog}/catalog/products/{product['id']}")
        terminal.print(
            f"\n  stock {STOCK} → [bold]{shelf['stock']}[/], order [bold]{order['id']}[/], payment [bold]{payment['reference']}[/]"
        )
        if shelf["stock"] != STOCK - BOUGHT:
            raise HopFailed(f"{STOCK} lamps less {BOUGHT} are not {shelf['stock']}")

    async def _token(self, title: str, email: str, password: str) -> dict[str, str]:
        form = {"grant_type": "password", "username": email, "password": password}
        token = await self._call(title, "POST", f"{self._shop.auth}/auth/token", data=form)
        return {"Authorization": f"Bearer {token['access_token']}"}

    async def _pay(self, payment: Json) -> float:
        """The payer pays, by script at the sandbox; at the real Paystack a person does. Answers how long to wait then."""
        page = urlsplit(payment["authorization_url"])
        if page.hostname and page.hostname.endswith("paystack.com"):
            terminal.print(
                f"\n  open this page and pay, within {PERSON_SECONDS / 60:.0f} minutes:\n  {payment['authorization_url']}\n"
            )
            return PERSON_SECONDS
        await self._call(
            "the payer pays at the checkout page",
            "POST",
            f"{page.scheme}://{page.netloc}/sandbox/transactions/{payment['reference']}/pay",
            json={"outcome": "success"},
        )
        return DELIVERY_SECONDS

    async def _delivery(self, order: Json, payment: Json, buyer: dict[str, str], seconds: float) -> None:
        """Waits until the webhook has been settled, the event has travelled, and the order is delivered."""
        started = time.monotonic()
        while True:
            order = await self._ask("GET", f"{self._shop.catalog}/catalog/orders/{order['id']}", headers=buyer)
            if order["status"] == "delivered":
                break
            if order["status"] not in {"pending", "paid"}:
                raise HopFailed(f"the order is {order['status']}")
            if time.monotonic() - started > seconds:
                url = f"{self._shop.payments}/payments/{payment['reference']}"
                state = (await self._ask("GET", url, headers=buyer))["status"]
                raise HopFailed(f"after {seconds:.0f} s the order is still {order['status']}, its payment {state}")
            await asyncio.sleep(0.05)
        self._show("webhook, settlement, event: the order is delivered", started, "")

    async def _call(self, title: str, method: str, url: str, **request: Any) -> Json:
        started = time.monotonic()
        try:
            answer = await self._ask(method, url, **request)
        except HopFailed:
            self._show(f"[red]{escape(title)}[/]", started, f"{method} {urlsplit(url).path}")
            raise
        self._show(escape(title), started, f"{method} {urlsplit(url).path}")
        return answer

    async def _ask(self, method: str, url: str, **request: Any) -> Json:
        try:
            response = await self._client.request(method, url, **request)
        except httpx.HTTPError as error:
            raise HopFailed(f"{method} {url}: {error or type(error).__name__}") from error
        try:
            body = response.json()
        except ValueError:
            body = None
        if response.is_success and isinstance(body, dict):
            return body
        raise HopFailed(in_words(method, url, response, body))

    def _show(self, title: str, started: float, call: str) -> None:
        self._hops += 1
        milliseconds = (time.monotonic() - started) * 1000
        terminal.print(f"  {self._hops:>2}  {milliseconds:>7.0f} ms  {title}  [dim]{escape(call)}[/]")


def in_words(method: str, url: str, response: httpx.Response, body: Any) -> str:
    """A refusal as a person reads it: problem+json (RFC 9457) field by field, anything else as it came."""
    head = f"{method} {url} answered {response.status_code}"
    if not isinstance(body, dict):
        return f"{head}\n    {response.text[:500]}"
    lines = [f"    {name}: {value}" for name, value in body.items()]
    request_id = response.headers.get("x-request-id")
    return "\n".join([head, *lines, *([f"    request: {request_id}"] if request_id else [])])
