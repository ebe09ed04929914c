"""The actor of a request."""

from collections.abc import Awaitable, Callable
from typing import Annotated

import structlog
from fastapi import Depends, Request

from kit.audit.actor import Actor
from kit.auth import Caller
from kit.http.client_address import TrustedProxies


def acting(check: Callable[..., Awaitable[Caller]]) -> Callable[..., Awaitable[Actor]]:
    """Return a dependency for the actor of a request whose caller passes `check`, a function that `require_scope` returned."""

    async def actor(request: Request, caller: Annotated[Caller, Depends(check)]) -> Actor:
        request_id = structlog.contextvars.get_contextvars().get("request_id")
        proxies: TrustedProxies = request.state.trusted_proxies
        return Actor(id=caller.id, address=await proxies.client_address(request.scope), request_id=request_id)

    return actor
