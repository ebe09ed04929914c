"""The three callers: without a token, a customer, and the administrator. Tokens come from auth, as for any client."""

from collections.abc import Mapping
from uuid import uuid4

import httpx

ROLES = ("anonymous", "customer", "operator")
PASSWORD = "fuzz correct horse battery staple"  # noqa: S105 -- of accounts in a temporary stack


async def access_token(env: Mapping[str, str], client: httpx.AsyncClient, role: str) -> str:
    """Return a new access token of a role: an empty text for `anonymous`, that of a new account for `customer`."""
    if role == "anonymous":
        return ""
    email, password = env["ADMIN_EMAIL"], env["ADMIN_PASSWORD"]
    if role == "customer":
        email, password = f"fuzz-{uuid4().hex}@example.com", PASSWORD
        url = f"{env['AUTH_URL']}/auth/users"
        (await client.post(url, json={"email": email, "password": password})).raise_for_status()
    form = {"grant_type": "password", "username": email, "password": password}
    answer = await client.post(f"{env['AUTH_URL']}/auth/token", data=form)
    answer.raise_for_status()
    return str(answer.json()["access_token"])
