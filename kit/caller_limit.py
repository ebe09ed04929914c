"""The limit on the rate of all requests: for each account, or for each limit address if a request has no valid access token."""

from starlette.types import ASGIApp, Receive, Scope, Send

from kit.auth import verify_early
from kit.http.client_address import TrustedProxies
from kit.http.rate_limit import TokenBuckets, TooManyRequests
from kit.http.request_limit import EXEMPT_PATHS


class CallerLimit:
    """ASGI middleware that counts each request once: for the account of its valid access token, otherwise for its limit address
    (http/client_address.py), here called its address.

    A token is verified before a request is counted, because each simpler rule helps an attacker:

    - If every request with an Authorization header were exempt from the limit of its address, `Authorization: x` would switch it off.
    - If the first request with each token were counted for the address, without a verification, one client could use up the requests of an
      address with invented tokens. Then the first requests of all others would be refused: thousands of customers of a mobile network share
      an address.
    - If a valid token only exempted a request from the limit of its address, one account could send any number of them.

    So an attacker can use up the anonymous requests of its address, such as logins, but others there can still send requests with a valid
    token. An invented token costs one verification of a signature, also over the limit; a token that was verified before costs one SHA-256.
    While a token cannot be verified because auth is unavailable, its request is counted for the address.

    `proxies`: None if the address of the client is not known; then only accounts are limited. Other Authorization schemes, such as the
    Basic credentials of client applications, are counted for the address.
    """

    def __init__(self, app: ASGIApp, proxies: TrustedProxies | None, per_address: int) -> None:
        self.app = app
        self.proxies = proxies
        self.addresses = TokenBuckets(per_address)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in EXEMPT_PATHS:
            try:
                await self._count(scope)
            except TooManyRequests as problem:
                await problem.response()(scope, receive, send)
                return
        await self.app(scope, receive, send)

    async def _count(self, scope: Scope) -> None:
        claims = await verify_early(scope)
        if claims is not None:
            account_requests: TokenBuckets = scope["state"]["account_requests"]
            account_requests.take(claims.sub)
        elif self.proxies is not None:
            address = await self.proxies.limit_address(scope)
            if address is not None:
                self.addresses.take(address)
