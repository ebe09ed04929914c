"""Requests through the public API, each printed as a step with its duration."""

import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
from rich.console import Console as Terminal
from rich.markup import escape

Json = dict[str, Any]


class PurchaseFailed(Exception):
    """A step of the purchase failed. The message contains the service's response or the reason."""


@dataclass(frozen=True)
class Shop:
    """The addresses of a shop, and the administrator who adds the product.

    `mail_catcher` is empty if mail goes to a real server, and `auth_database` if the demo cannot reach the database of auth.
    """

    auth: str
    catalog: str
    payments: str
    admin_email: str
    admin_password: str
    mail_catcher: str = ""
    auth_database: str = ""


class Calls:
    """Sends requests and prints steps."""

    def __init__(self, client: httpx.AsyncClient, terminal: Terminal) -> None:
        self._client = client
        self._terminal = terminal
        self._steps = 0

    async def call(self, title: str, method: str, url: str, **request: Any) -> Json:
        """Send a request and print it as a step. Raises PurchaseFailed unless it succeeds."""
        started = time.monotonic()
        try:
            answer = await self.request(method, url, **request)
        except PurchaseFailed:
            self.print_step(f"[red]{escape(title)}[/]", started, f"{method} {urlsplit(url).path}")
            raise
        self.print_step(escape(title), started, f"{method} {urlsplit(url).path}")
        return answer

    async def request(self, method: str, url: str, **request: Any) -> Json:
        """Send a request and return the answer, {} for 204. Raises PurchaseFailed unless it succeeds."""
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

    def print_step(self, title: str, started: float, call: str) -> None:
        """Print the next step, which began at `started` of the monotonic clock. `title` may contain rich's markup."""
        self._steps += 1
        milliseconds = (time.monotonic() - started) * 1000
        self._terminal.print(f"  {self._steps:>2}  {milliseconds:>7.0f} ms  {title}  [dim]{escape(call)}[/]")

    def print(self, text: str) -> None:
        """Print a line between the steps. It may contain rich's markup."""
        self._terminal.print(text)


def format_error(method: str, url: str, response: httpx.Response, body: Any) -> str:
    """Format an error answer: problem+json (RFC 9457) field by field, anything else as text."""
    head = f"{method} {url} answered {response.status_code}"
    if not isinstance(body, dict):
        return f"{head}\n    {response.text[:500]}"
    lines = [f"    {name}: {value}" for name, value in body.items()]
    request_id = response.headers.get("x-request-id")
    return "\n".join([head, *lines, *([f"    request: {request_id}"] if request_id else [])])
