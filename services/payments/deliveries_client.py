"""Client of catalog for the reconciliation: it lists deliveries with a token of the client application of payments (client_credentials)."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import httpx
import structlog
from pydantic import BaseModel, SecretStr, ValidationError

from contracts.money import format_money
from kit.http.client import HttpClient
from kit.log_throttling import log_failure
from kit.worker.shutdown import Shutdown

CALL_SECONDS = 10.0
ATTEMPTS = 5
MAX_PAUSE_SECONDS = 60.0
PAGE = 1000
MAX_REFERENCES = 100
"""How many references catalog accepts in one request."""

RENEW_BEFORE_SECONDS = 60.0
Query = Mapping[str, str | int | list[str]]
log = structlog.get_logger("reconciliation")


class DeliveriesUnavailable(Exception):
    """The deliveries could not be read; the message says why."""


class DeliveryRow(BaseModel):
    """A delivery, or an order that is paid and not delivered yet. `amount` is in subunits."""

    order_id: UUID
    payment_reference: str | None
    amount: int
    currency: str
    status: str
    delivered_at: datetime | None

    def describe(self) -> str:
        """Return the delivery in words, for a report."""
        what = (
            f"delivered {self.delivered_at:%Y-%m-%d %H:%M} UTC"
            if self.delivered_at
            else f"{self.status}, not delivered"
        )
        return f"order {self.order_id}, {format_money(self.amount, self.currency)}, {what}"


class _DeliveryPage(BaseModel):
    items: list[DeliveryRow]
    next_cursor: str | None


class _TokenResponse(BaseModel):
    access_token: str
    expires_in: int


@dataclass(slots=True)
class DeliveriesClient:
    """Reads deliveries from catalog. A read that fails is repeated, at most four times."""

    client: HttpClient
    catalog_url: str
    token_url: str
    client_id: str
    secret: SecretStr
    shutdown: Shutdown
    _token: str = field(default="", init=False)
    _token_ends: float = field(default=0.0, init=False)

    async def delivered(self, since: datetime, until: datetime) -> AsyncIterator[list[DeliveryRow]]:
        """Yield the deliveries of the period [since, until), page by page. Raises DeliveriesUnavailable."""
        cursor: str | None = None
        while True:
            query: Query = {"from": since.isoformat(), "to": until.isoformat(), "limit": PAGE, "cursor": cursor or ""}
            page = await self._get(query)
            yield page.items
            cursor = page.next_cursor
            if cursor is None:
                return

    async def of_payments(self, references: Sequence[str]) -> list[DeliveryRow]:
        """Return the orders for which these payments paid, also those that are not delivered yet. At most MAX_REFERENCES.

        Raises DeliveriesUnavailable.
        """
        return (await self._get({"reference": list(references), "limit": PAGE})).items

    async def _get(self, query: Query) -> _DeliveryPage:
        reason = "interrupted"
        for attempt in range(ATTEMPTS):
            pause = min(2.0**attempt, MAX_PAUSE_SECONDS)
            try:
                async with asyncio.timeout(CALL_SECONDS):
                    headers = {"Authorization": f"Bearer {await self._current_token()}"}
                    response = await self.client.get(
                        f"{self.catalog_url}/catalog/deliveries", params=query, headers=headers
                    )
                response.raise_for_status()
                return _DeliveryPage.model_validate_json(response.content)
            except httpx.HTTPStatusError as error:
                reason = f"{error.request.url.path} answered {error.response.status_code}"
                if error.response.status_code < 500 and error.response.status_code not in {401, 429}:
                    break  # a repetition gets the same answer
                self._token = "" if error.response.status_code == 401 else self._token
                pause = _retry_after(error.response, pause)
                log_failure(log.warning, "deliveries not read", error, attempt=attempt + 1)
            except (httpx.HTTPError, TimeoutError, ValidationError) as error:
                reason = str(error).splitlines()[0] if str(error) else type(error).__name__
                log_failure(log.warning, "deliveries not read", error, attempt=attempt + 1)
            if attempt + 1 < ATTEMPTS:
                await self.shutdown.wait(pause)
            if self.shutdown.requested:
                reason = "interrupted"
                break
        raise DeliveriesUnavailable(reason)

    async def _current_token(self) -> str:
        """Return an access token, a new one if the last one ends soon."""
        if not self._token or time.monotonic() > self._token_ends:
            form = {"grant_type": "client_credentials", "scope": "orders:read"}
            credentials = httpx.BasicAuth(self.client_id, self.secret.get_secret_value())
            response = await self.client.post(self.token_url, data=form, auth=credentials)
            if response.status_code in {400, 401, 403}:
                raise DeliveriesUnavailable(
                    f"auth refused the client {self.client_id} ({response.status_code}): check PAYMENTS_CLIENT_SECRET, and "
                    "whether the client has the scope orders:read"
                )
            response.raise_for_status()
            found = _TokenResponse.model_validate_json(response.content)
            self._token, self._token_ends = (
                found.access_token,
                time.monotonic() + found.expires_in - RENEW_BEFORE_SECONDS,
            )
        return self._token


def _retry_after(response: httpx.Response, otherwise: float) -> float:
    """Return the seconds of the header Retry-After, within bounds."""
    value = response.headers.get("retry-after", "")
    return min(float(value), MAX_PAUSE_SECONDS) if value.isdecimal() else otherwise
