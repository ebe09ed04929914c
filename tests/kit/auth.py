"""Auth as the kit sees it: a JWKS."""

import asyncio
from typing import Any

import httpx

from tests.conftest import Signer


class Auth:
    """Auth's JWKS, which can be away, slow or nonsense; counts who asks."""

    def __init__(self, signer: Signer) -> None:
        self.signer = signer
        self.asked = 0
        self.away = False
        self.says: Any = None
        self.was_asked = asyncio.Event()
        self.answers = asyncio.Event()
        self.answers.set()

    async def __call__(self) -> dict[str, Any]:
        self.asked += 1
        self.was_asked.set()
        await self.answers.wait()
        if self.away:
            raise httpx.ConnectError("away")
        found: dict[str, Any] = self.says if self.says is not None else await self.signer.jwks()
        return found
