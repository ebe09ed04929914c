"""What the limits need to know about a request: its limit address, and whether its client waits for the response."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from kit.http.client_address import TrustedProxies

UNKNOWN_ADDRESS = "unknown"
"""Requests whose address is not known share one bucket: a trusted proxy that does not name its client must not switch the limits off."""


@dataclass(frozen=True, slots=True)
class RequestSource:
    """The address that the limits count, and whether the client has gone away."""

    limit_address: str
    """An IPv4 address or an IPv6 /64 network, from X-Forwarded-For only if the peer is one of TRUSTED_PROXIES."""
    disconnected: Callable[[], Awaitable[bool]]


async def source_of(request: Request) -> RequestSource:
    """Return the source of a request."""
    proxies: TrustedProxies = request.state.trusted_proxies
    limit_address = await proxies.limit_address(request.scope)
    return RequestSource(limit_address or UNKNOWN_ADDRESS, request.is_disconnected)


CurrentRequestSource = Annotated[RequestSource, Depends(source_of)]
