"""A fake JWKS endpoint of auth."""

import asyncio
from typing import Any

import httpx

from tests.fixtures.tokens import Signer


class JwksEndpoint:
    """Returns the JWKS of a signer. It can be unavailable, slow or return something else, and counts the requests."""

    def __init__(self, signer: Signer) -> None:
        self.signer = signer
        self.requests = 0
        self.unavailable = False
        self.response: Any = None
        """Returned instead of the JWKS."""
        self.was_requested = asyncio.Event()
        self.may_respond = asyncio.Event()
        self.may_respond.set()

    async def __call__(self) -> dict[str, Any]:
        self.requests += 1
        self.was_requested.set()
        await self.may_respond.wait()
        if self.unavailable:
            raise httpx.ConnectError("unavailable")
        found: dict[str, Any] = self.response if self.response is not None else await self.signer.jwks()
        return found
