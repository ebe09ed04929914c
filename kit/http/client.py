"""The HTTP client of the services: a connection that breaks always raises an error of httpx."""

from typing import Any

import httpx


class HttpClient(httpx.AsyncClient):  # noqa: TID251 -- this is its replacement
    """Like httpx's client, but a connection that is reset as soon as it is open raises ConnectError.

    uvloop closes the handle of such a connection and drops its socket. httpcore then asks for the address of the missing socket
    (AttributeError) or pauses the closed handle (RuntimeError). No caller expects these two, and the service would answer 500.
    """

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Send a request. Raises httpx.HTTPError."""
        try:
            return await super().send(request, **options)
        except (AttributeError, RuntimeError) as error:
            raise httpx.ConnectError(f"the connection was reset: {error}", request=request) from error
