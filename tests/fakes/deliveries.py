"""catalog and auth as the reconciliation of payments sees them: GET /catalog/deliveries and POST /auth/token."""

import base64
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
from pydantic import SecretStr

from kit.http.client import HttpClient
from kit.worker.shutdown import Shutdown
from services.payments.deliveries_client import DeliveriesClient

SECRET = "a secret of the tests"
CREDENTIALS = "Basic " + base64.b64encode(f"payments:{SECRET}".encode()).decode()


@dataclass
class FakeDeliveries(httpx.AsyncBaseTransport):
    """Use it as the transport of a client. `failures` are the next answers, in place of the right ones; a page has `page_size` items."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    failures: list[httpx.Response | Exception] = field(default_factory=list)
    page_size: int = 2
    tokens: int = 0
    calls: list[httpx.Request] = field(default_factory=list)

    def deliver(self, reference: str | None, order_id: UUID | None = None, **changes: Any) -> None:
        """Add a delivery, made now, of an order of 500 naira."""
        row = {
            "order_id": str(order_id or uuid4()),
            "payment_reference": reference,
            "amount": 50_000,
            "currency": "NGN",
            "status": "delivered",
            "delivered_at": datetime.now(UTC).isoformat(),
        }
        self.rows.append(row | changes)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(request)
        if request.url.path == "/auth/token":
            allowed = request.headers["authorization"] == CREDENTIALS
            body = await request.aread()
            if not allowed or body != b"grant_type=client_credentials&scope=orders%3Aread":
                return httpx.Response(401, json={"error": "invalid_client"})
            self.tokens += 1
            return httpx.Response(200, json={"access_token": f"token-{self.tokens}", "expires_in": 900})
        if self.failures:
            failure = self.failures.pop(0)
            if isinstance(failure, Exception):
                raise failure
            return failure
        assert request.headers["authorization"] == f"Bearer token-{self.tokens}"
        return httpx.Response(200, json=self._page(request.url.params))

    def _page(self, query: httpx.QueryParams) -> dict[str, Any]:
        references = query.get_list("reference")
        if references:
            return {"items": [row for row in self.rows if row["payment_reference"] in references], "next_cursor": None}
        since, until = (datetime.fromisoformat(query[name]) for name in ("from", "to"))
        found = [
            row
            for row in self.rows
            if row["delivered_at"] and since <= datetime.fromisoformat(row["delivered_at"]) < until
        ]
        first = int(query["cursor"] or 0)
        last = first + self.page_size
        return {"items": found[first:last], "next_cursor": str(last) if last < len(found) else None}

    def client(self, shutdown: Shutdown, secret: str = SECRET) -> DeliveriesClient:
        """Return a client of this catalog."""
        http = HttpClient(transport=self)
        urls = ("http://catalog.test", "http://auth.test/auth/token")
        return DeliveriesClient(http, *urls, "payments", SecretStr(secret), shutdown)
