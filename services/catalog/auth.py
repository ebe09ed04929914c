"""Dependencies that authenticate callers of catalog and check their scopes."""

from typing import Annotated

from fastapi import Depends, Request

from kit.audit.actor import Actor
from kit.audit.requests import acting
from kit.auth import Caller, authenticate, require_scope, verify_early
from kit.http.client_address import TrustedProxies

AnyCaller = Annotated[Caller, Depends(authenticate)]
"""Any caller with a valid access token."""

OrderingCaller = Annotated[Caller, Depends(require_scope("orders:write", "orders:write_for"))]
"""A caller who may place orders: a customer, or a program that orders for its customers."""

_may_cancel = require_scope("orders:write", "orders:write_for", "orders:manage")

Canceller = Annotated[Caller, Depends(_may_cancel)]
"""A customer, a program that orders for its customers, or staff who manage orders."""

CancellingActor = Annotated[Actor, Depends(acting(_may_cancel))]
"""A Canceller, with the IP address for the audit log."""

OrdersReader = Annotated[Caller, Depends(require_scope("orders:read"))]
"""A caller who may read the orders of all customers."""

OrdersActor = Annotated[Actor, Depends(acting(require_scope("orders:manage")))]
"""A caller who may manage and fulfil orders, with the IP address for the audit log."""


async def scopes_of_caller(request: Request) -> frozenset[str]:
    """Return the scopes of the access token; none without a valid one. For routes that anybody may call."""
    claims = await verify_early(request.scope)
    return claims.scopes if claims is not None else frozenset()


CallerScopes = Annotated[frozenset[str], Depends(scopes_of_caller)]
"""The scopes of a caller who may be anonymous."""


async def limit_address_of_guest(request: Request, caller: OrderingCaller) -> str | None:
    """Return the limit address of a guest, and None for a program and for an account with an e-mail address."""
    if caller.email is not None or "orders:write" not in caller.scopes:
        return None
    proxies: TrustedProxies = request.state.trusted_proxies
    return await proxies.limit_address(request.scope)


GuestLimitAddress = Annotated[str | None, Depends(limit_address_of_guest)]
"""The limit address of a caller who is a guest: an IPv4 address or IPv6 /64 network."""

EditorCaller = Annotated[Caller, Depends(require_scope("catalog:write"))]
"""A caller who may change products and categories."""

StockKeeper = Annotated[Caller, Depends(require_scope("stock:write"))]
"""A caller who may read and change the stock."""

StockActor = Annotated[Actor, Depends(acting(require_scope("stock:write")))]
"""A caller who may read and change the stock, with the IP address for the audit log."""

AnyActor = Annotated[Actor, Depends(acting(authenticate))]
"""Any caller with a valid access token, with the IP address for the audit log."""

EditingActor = Annotated[Actor, Depends(acting(require_scope("catalog:write")))]
"""A caller who may change products and categories, with the IP address for the audit log."""
