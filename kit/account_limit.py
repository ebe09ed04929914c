"""The limit on the rate of requests of one account, for routes that cost more than others: orders and payments."""

from typing import Annotated, TypedDict

from fastapi import Depends, Request

from kit.auth import Caller, authenticate
from kit.http.rate_limit import TokenBuckets


class AccountLimitState(TypedDict):
    """The attributes of `request.state` with the limits of accounts. `create_app` adds them."""

    account_limit: TokenBuckets
    """The buckets of the routes with AccountLimit."""
    account_requests: TokenBuckets
    """The buckets of all requests (CallerLimit)."""


async def limit_account(request: Request, caller: Annotated[Caller, Depends(authenticate)]) -> None:
    """Count the request against the limit of the caller's account. Raises TooManyRequests."""
    account_limit: TokenBuckets = request.state.account_limit
    account_limit.take(caller.id)


AccountLimit = Depends(limit_account)
"""For routes with a limit per account: `dependencies=[AccountLimit]`."""
