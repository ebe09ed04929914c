"""The HTTP client of the services: a connection that breaks always raises an error of httpx."""

import ssl
from functools import cache
from typing import Any

import httpx


@cache
def _tls_context() -> ssl.SSLContext:
    """Return the context of all clients of this process. It takes 20 ms to read the certificates, and the event loop waits for it."""
    return httpx.create_ssl_context()


class HttpClient(httpx.AsyncClient):  # noqa: TID251 -- this is its replacement
    """Like httpx's client, but a connection that is reset as soon as it is open raises ConnectError.

    uvloop closes the handle of such a connection and drops its socket. httpcore then asks for the address of the missing socket
    (AttributeError) or pauses the closed handle (RuntimeError). No caller expects these two, and the service would answer 500.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(verify=_tls_context(), **options)

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Send a request. Raises httpx.HTTPError."""
        try:
            return await super().send(request, **options)
        except (AttributeError, RuntimeError) as error:
            raise httpx.ConnectError(f"the connection was reset: {error}", request=request) from error
