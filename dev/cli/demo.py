"""`make demo`: make one purchase through the public API, from registration to delivery. The exit code is 0 if the order was delivered.

A variable such as GUEST=1 selects a variant of the purchase.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from rich.console import Console as Terminal
from rich.markup import escape

from dev import PROJECT
from dev.cli.calls import Calls, PurchaseFailed, Shop
from dev.cli.guest_purchase import GuestPurchase
from dev.cli.purchase import Purchase
from dev.cli.server_purchase import ServerPurchase
from dev.cli.transfer_purchase import TransferPurchase
from dev.process.console import Console
from dev.process.program import NotStarted
from dev.stack.environment import read_env_file
from dev.stack.running import running_stack
from dev.stack.stack import Stack

VARIANTS: dict[str, type[Purchase]] = {"GUEST": GuestPurchase, "TRANSFER": TransferPurchase, "SERVER": ServerPurchase}
"""The variants of the purchase, by the environment variable that selects each."""

terminal = Terminal(highlight=False, soft_wrap=True)


def main() -> int:
    """Make one purchase and return the exit code."""
    try:
        return asyncio.run(demo())
    except (NotStarted, PurchaseFailed) as error:
        terminal.print(f"\n[bold red]not delivered[/]  {escape(str(error))}")
    except KeyboardInterrupt:
        terminal.print("\ninterrupted")
    return 1


async def demo() -> int:
    """Make the purchase that the environment selects, and print its duration."""
    variant = selected_variant()
    started = time.monotonic()
    async with find_or_start_shop() as shop, httpx.AsyncClient(timeout=30, trust_env=False) as client:
        terminal.print()
        await variant(shop, Calls(client, terminal)).make()
    terminal.print(f"\n[bold green]delivered[/]  {time.monotonic() - started:.1f} s in total")
    return 0


def selected_variant() -> type[Purchase]:
    """Return the variant whose variable is set, by default the purchase of a registered customer. Raises NotStarted for several."""
    selected = [name for name in VARIANTS if os.environ.get(name)]
    if len(selected) > 1:
        raise NotStarted(f"{' and '.join(selected)} are set: choose one")
    return VARIANTS[selected[0]] if selected else Purchase


@asynccontextmanager
async def find_or_start_shop() -> AsyncIterator[Shop]:
    """Yield the shop behind GATEWAY if it is set, else the stack of `make run` if it is running, else a temporary stack."""
    if gateway := os.environ.get("GATEWAY"):
        env = read_env_file(PROJECT / ".env")
        missing = [name for name in ("AUTH_ADMIN_EMAIL", "AUTH_ADMIN_PASSWORD") if not env.get(name)]
        if missing:
            raise NotStarted(f"GATEWAY is set: .env must contain {' and '.join(missing)} (`make env` writes it)")
        url = gateway.rstrip("/")
        await check_gateway(url)
        terminal.print(f"using the shop behind {url}")
        mail = mail_catcher_of_compose(env)
        yield Shop(url, url, url, env["AUTH_ADMIN_EMAIL"], env["AUTH_ADMIN_PASSWORD"], mail)
        return
    if running := running_stack():
        terminal.print("using the running stack (`make run`)")
        yield shop_of(running)
        return
    terminal.print("no stack is running: starting a temporary one on free ports")
    console = Console(status=sys.stdout)
    try:
        async with Stack(console=console) as stack:
            console.flush()
            yield shop_of(stack.env)
            terminal.print()
    finally:
        console.close()


async def check_gateway(url: str) -> None:
    """Raise NotStarted, with the command that starts the shop, if nothing answers at this URL."""
    try:
        async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
            await client.get(url)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise NotStarted(
            f"GATEWAY={url}: {str(error) or type(error).__name__}. Start the shop first: docker compose --profile sandbox up "
            "(its gateway listens on http://localhost:8080). Without GATEWAY, `make demo` starts a shop of its own"
        ) from error


def shop_of(env: dict[str, str]) -> Shop:
    """Return the addresses and the administrator in a stack.env."""
    urls = env["AUTH_URL"], env["CATALOG_URL"], env["PAYMENTS_URL"]
    return Shop(
        *urls, env["ADMIN_EMAIL"], env["ADMIN_PASSWORD"], env.get("MAIL_CATCHER_URL", ""), env["AUTH_DATABASE_URL"]
    )


def mail_catcher_of_compose(env: dict[str, str]) -> str:
    """Return the URL of the mail catcher of docker compose on this machine, or an empty text if mail goes to another server."""
    catches = env.get("AUTH_SMTP_URL", "").startswith("smtp+plain://mail-catcher")
    return f"http://127.0.0.1:{env.get('MAIL_CATCHER_PORT') or 8025}" if catches else ""
