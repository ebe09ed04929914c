"""What the list of sessions shows the owner of an account about the last request for a token: the device and the IP address."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from kit.http.client_address import TrustedProxies

MAX_DEVICE = 200
"""Characters of a User-Agent that are kept."""


@dataclass(frozen=True, slots=True)
class SessionDetails:
    """`device`: the User-Agent, or None. `address`: the IP address, or None if it is not known."""

    device: str | None = None
    address: str | None = None


async def details_of(request: Request) -> SessionDetails:
    """Return the details of a request for a token."""
    proxies: TrustedProxies = request.state.trusted_proxies
    user_agent = "".join(sign if sign.isprintable() else " " for sign in request.headers.get("user-agent", ""))
    return SessionDetails(user_agent.strip()[:MAX_DEVICE] or None, await proxies.client_address(request.scope))


CurrentSessionDetails = Annotated[SessionDetails, Depends(details_of)]
