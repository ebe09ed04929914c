"""The HTTP clients of catalog and, if a secret key is configured, of Paystack; and the error responses for failed calls to Paystack."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urljoin

from fastapi import Depends, Request

from contracts.money import country_rule
from contracts.tokens import PAYMENTS_CLIENT
from kit.errors import Problem
from kit.http.client import HttpClient
from kit.worker.shutdown import Shutdown
from services.payments.call_budget import DatabaseCounter
from services.payments.catalog_client import CatalogClient
from services.payments.db import engine
from services.payments.deliveries_client import CALL_SECONDS, DeliveriesClient
from services.payments.errors import NotConfigured, PaymentRefused, PaystackUnavailable
from services.payments.paystack.client import Paystack
from services.payments.paystack.errors import PaystackError, RateLimited, Refused
from services.payments.paystack.rate_limit import DOCUMENTED_LIMITS, RateLimit
from services.payments.paystack.shared_budget import Counter
from services.payments.settings import settings


@dataclass(frozen=True, slots=True)
class Clients:
    """The HTTP clients. `configured_paystack` is None without PAYSTACK_SECRET_KEY."""

    catalog: CatalogClient
    configured_paystack: Paystack | None

    @property
    def paystack(self) -> Paystack:
        """The client of Paystack. Raises NotConfigured without a secret key."""
        if self.configured_paystack is None:
            raise NotConfigured
        return self.configured_paystack


@asynccontextmanager
async def open_clients() -> AsyncIterator[Clients]:
    """Create the clients. Close their connections when the block ends."""
    key, paystack = settings.paystack_secret_key, None
    if key is not None:
        # All processes with this database share one budget of calls.
        rate_limit = configured_rate_limit(DatabaseCounter(engine))
        paystack = Paystack(settings.paystack_url, key, rate_limit=rate_limit)
    clients = Clients(catalog=CatalogClient.at(settings.catalog_url), configured_paystack=paystack)
    try:
        yield clients
    finally:
        await clients.catalog.client.aclose()
        if clients.configured_paystack is not None:
            await clients.configured_paystack.close()


@asynccontextmanager
async def open_deliveries_client(shutdown: Shutdown) -> AsyncIterator[DeliveriesClient | None]:
    """Create the client that reads deliveries from catalog, or yield None without PAYMENTS_CLIENT_SECRET."""
    secret = settings.payments_client_secret
    if secret is None:
        yield None
        return
    token_url = settings.token_url or urljoin(settings.jwks_url, "/auth/token")
    async with HttpClient(timeout=CALL_SECONDS) as client:
        yield DeliveriesClient(client, settings.catalog_url, token_url, PAYMENTS_CLIENT, secret, shutdown)


def configured_rate_limit(counter: Counter | None = None) -> RateLimit:
    """Return a rate limit with the documented limit of our mode and the configured number of calls. `counter`: see RateLimit."""
    limit, budget = DOCUMENTED_LIMITS[settings.mode], settings.payments_paystack_calls_per_minute
    return RateLimit(limit, budget, counter=counter)


def _clients(request: Request) -> Clients:
    clients: Clients = request.state.clients
    return clients


CurrentClients = Annotated[Clients, Depends(_clients)]


def problem_from_paystack(
    error: PaystackError,
    refusal: type[Problem] = PaymentRefused,
    *,
    unavailable_detail: str | None = None,
    currency: str = "",
) -> Problem:
    """Return the error response for a failed call to Paystack.

    If Paystack refused the request, return `refusal` with its default detail and Paystack's message. If the reason was the `currency`, the
    detail also states in which countries the currency is accepted. After any other failure, return PaystackUnavailable with
    `unavailable_detail`; None means the default detail of PaystackUnavailable.
    """
    if isinstance(error, Refused):
        rule = country_rule(currency) if error.code == "unsupported_currency" else None
        explanation = f" ({rule})" if rule else ""
        return refusal(f"{refusal.default_detail().rstrip('.')}: {error.message}{explanation}")
    if isinstance(error, RateLimited):
        return PaystackUnavailable(unavailable_detail, headers={"Retry-After": str(error.retry_after)})
    return PaystackUnavailable(unavailable_detail)
