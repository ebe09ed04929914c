"""catalog as payments sees it: GET /catalog/orders/:id."""

from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx


@dataclass
class FakeCatalog(httpx.AsyncBaseTransport):
    """Use it as the transport of payments' catalog client. `answer` replaces every answer while it is set."""

    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    answer: httpx.Response | Exception | None = None
    calls: list[httpx.Request] = field(default_factory=list)

    def add_order(
        self, order_id: str | None = None, *, amount: int = 50_000, status: str = "pending", currency: str = "NGN"
    ) -> str:
        """Add an order and return its id."""
        order_id = order_id or str(uuid4())
        self.orders[order_id] = {
            "id": order_id,
            "status": status,
            "amount": amount,
            "currency": currency,
            "items": [],
        }
        return order_id

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is not None:
            return httpx.Response(self.answer.status_code, content=self.answer.content)
        order = self.orders.get(request.url.path.rpartition("/")[2])
        return httpx.Response(404, json={}) if order is None else httpx.Response(200, json=order)
