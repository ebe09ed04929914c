"""Who may send webhooks: Paystack's addresses, other addresses and networks that an operator names, or everybody.

The signature is what proves that a webhook is Paystack's. The addresses are a second condition, which is checked first.
payments checks them instead of the gateway, because payments knows the client's address behind any number of trusted proxies.
"""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import ip_address, ip_network

import structlog
from starlette.requests import Request

from kit.http.client_address import TrustedProxies
from kit.log_throttling import log_throttled
from services.payments.errors import WebhookAddressNotAllowed
from services.payments.mode import Mode
from services.payments.paystack.webhook_addresses import WEBHOOK_ADDRESSES
from services.payments.settings import ANY_SOURCE, PAYSTACK_SOURCE

log = structlog.get_logger("webhooks")


class WebhookSources:
    """The sources of PAYMENTS_WEBHOOK_SOURCES. If it is empty: Paystack's addresses with a live key, and every address with a test key.

    With a test key, webhooks also come from the sandbox, or through a tunnel to a developer's machine.
    """

    def __init__(self, sources: Sequence[str], mode: Mode) -> None:
        chosen = sources or [PAYSTACK_SOURCE if mode is Mode.LIVE else ANY_SOURCE]
        self._accepts_all = ANY_SOURCE in chosen
        addresses = [*chosen, *WEBHOOK_ADDRESSES] if PAYSTACK_SOURCE in chosen else chosen
        self._networks = [ip_network(each) for each in addresses if each not in {ANY_SOURCE, PAYSTACK_SOURCE}]
        self._is_allowed = lru_cache(maxsize=1024)(self._contains)

    async def check(self, request: Request) -> None:
        """Raise WebhookAddressNotAllowed if the client of a request may not send webhooks."""
        if self._accepts_all:
            return
        proxies: TrustedProxies = request.state.trusted_proxies
        address = await proxies.client_address(request.scope)
        if address is None or not self._is_allowed(address):
            log_throttled(log.warning, "webhook refused", about="address", address=address)
            raise WebhookAddressNotAllowed

    def _contains(self, address: str) -> bool:
        return any(ip_address(address) in network for network in self._networks)
