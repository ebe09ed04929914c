"""The clients that this process talks through: Paystack, where a key is configured, and catalog."""

from services.payments.catalog_client import CatalogClient
from services.payments.errors import NotConfigured
from services.payments.paystack.client import Paystack
from services.payments.settings import settings

orders = CatalogClient.at(settings.catalog_url)
_paystack = (
    Paystack(settings.paystack_url, settings.paystack_secret_key) if settings.paystack_secret_key is not None else None
)


def paystack() -> Paystack:
    """Raises NotConfigured without a secret key."""
    if _paystack is None:
        raise NotConfigured
    return _paystack


async def close() -> None:
    await orders.client.aclose()
    if _paystack is not None:
        await _paystack.close()
