"""Client of catalog. It reads orders with the caller's own token, so that catalog decides who can see them."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

import httpx
import structlog
from pydantic import BaseModel, ValidationError

from kit.auth import Caller
from kit.errors import NotAllowed, NotAuthenticated
from kit.fields import Amount, Currency
from kit.http.client import HttpClient
from kit.observability.tracing import traceparent
from services.payments.errors import CatalogUnavailable, OrderNotFound

CALL_SECONDS = 5.0


class OrderCustomer(BaseModel):
    """Who ordered. `id` is the account, or the program that ordered for one of its customers; the other fields are then the customer's."""

    id: str
    email: str | None = None
    name: str | None = None
    phone: str | None = None
    external_id: str | None = None


class Order(BaseModel):
    """The fields of an order that payments needs. `amount` is in subunits."""

    id: UUID
    status: str
    amount: Amount
    currency: Currency
    metadata: dict[str, str] = {}
    customer: OrderCustomer | None = None


@dataclass(frozen=True, slots=True)
class CatalogClient:
    """Client of catalog's HTTP API. Every call ends within five seconds."""

    client: HttpClient

    @classmethod
    def at(cls, url: str) -> "CatalogClient":
        """Create a client for the base URL of catalog."""
        return cls(HttpClient(base_url=url, timeout=CALL_SECONDS, limits=httpx.Limits(max_connections=100)))

    async def get_order(self, order_id: UUID, caller: Caller) -> Order:
        """Return an order that the caller may read: staff may read those of all customers.

        Raises OrderNotFound, NotAuthenticated or NotAllowed if catalog refuses the request, and CatalogUnavailable after any other failure.
        """
        headers = {"Authorization": f"Bearer {caller.token}"}
        request_id = structlog.contextvars.get_contextvars().get("request_id")
        if request_id:
            headers["X-Request-ID"] = request_id
        if trace := traceparent():
            headers["traceparent"] = trace
        try:
            async with asyncio.timeout(CALL_SECONDS):
                response = await self.client.get(f"/catalog/orders/{order_id}", headers=headers)
        except (httpx.HTTPError, TimeoutError) as error:
            raise CatalogUnavailable from error
        if response.status_code == 404:
            raise OrderNotFound
        if response.status_code == 401:
            raise NotAuthenticated
        if response.status_code == 403:
            raise NotAllowed
        try:
            response.raise_for_status()
            return Order.model_validate_json(response.content)
        except (httpx.HTTPStatusError, ValidationError) as error:
            raise CatalogUnavailable from error
