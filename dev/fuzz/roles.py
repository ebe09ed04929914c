"""The three callers: without a token, a customer, and the administrator. Tokens come from auth, as for any client."""

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import httpx

ROLES = ("anonymous", "customer", "administrator")
MAX_WAIT_SECONDS = 60.0
PASSWORD = "fuzz correct horse battery staple"  # noqa: S105 -- of accounts in a temporary stack


async def access_token(env: Mapping[str, str], client: httpx.AsyncClient, role: str) -> str:
    """Return a new access token of a role: an empty text for `anonymous`, that of a new account for `customer`."""
    if role == "anonymous":
        return ""
    email, password = env["ADMIN_EMAIL"], env["ADMIN_PASSWORD"]
    if role == "customer":
        email, password = f"fuzz-{uuid4().hex}@example.com", PASSWORD
        url = f"{env['AUTH_URL']}/auth/users"
        await _post(client, url, json={"email": email, "password": password})
    form = {"grant_type": "password", "username": email, "password": password}
    answer = await _post(client, f"{env['AUTH_URL']}/auth/token", data=form)
    return str(answer.json()["access_token"])


async def _post(client: httpx.AsyncClient, url: str, **body: Any) -> httpx.Response:
    """Send a request. Wait as `Retry-After` says if the generated requests have used up the limits of this machine's address."""
    async with asyncio.timeout(MAX_WAIT_SECONDS):
        while True:
            answer = await client.post(url, **body)
            if answer.status_code != httpx.codes.TOO_MANY_REQUESTS:
                return answer.raise_for_status()
            await asyncio.sleep(float(answer.headers["Retry-After"]))
