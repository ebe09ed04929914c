"""Where a request for a token comes from. The owner of an account sees it in the list of sessions."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from kit.http.client_address import TrustedProxies

MAX_DEVICE = 200
"""Characters of a User-Agent that are kept."""


@dataclass(frozen=True, slots=True)
class Origin:
    """`device`: the User-Agent, or None. `address`: the IP address, or None if it is not known."""

    device: str | None = None
    address: str | None = None


async def origin_of(request: Request) -> Origin:
    """Return the origin of a request."""
    proxies: TrustedProxies = request.state.trusted_proxies
    user_agent = "".join(sign if sign.isprintable() else " " for sign in request.headers.get("user-agent", ""))
    return Origin(user_agent.strip()[:MAX_DEVICE] or None, await proxies.client_address(request.scope))


CurrentOrigin = Annotated[Origin, Depends(origin_of)]
