"""The floor of a refresh: one ASGI app without a framework, which runs the same statements on asyncpg.

It answers with the next refresh token. It checks nothing else, logs nothing and signs no access token.
"""

import base64
import hashlib
import hmac
import json
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

import asyncpg
import uvicorn

Message = MutableMapping[str, Any]
CONNECTIONS = 15
"""As many as auth has."""

SECRET = b"refresh secret of the benchmark"
ROTATE = """
UPDATE refresh_families SET secret_digest = $1, parent_digest = secret_digest, rotated_at = now(),
    expires_at = least(now() + idle_lifetime, absolute_expires_at), device = NULL, address = $2, last_used_at = now(),
    access_expires_at = now() + interval '15 minutes'
WHERE id = $3 AND expires_at > now() AND secret_digest = $4 RETURNING account_id, client_id, sid, scope
"""
OWNER = """
SELECT a.id, a.email, a.email_verified_at, a.name, a.banned_at, a.banned_until, a.ban_reason, a.role, a.role_from_environment,
    a.password_hash, a.created_at, a.delete_at, a.changed_at, c.id, c.public, c.scope, c.created_at, r.name, r.scope
FROM accounts AS a JOIN clients AS c ON c.id = $1 JOIN roles AS r ON r.name = a.role WHERE a.id = $2
"""
state: dict[str, asyncpg.Pool] = {}


def child_of(token: str) -> str:
    """Return the secret of the next refresh token, as auth computes it."""
    return base64.urlsafe_b64encode(hmac.digest(SECRET, token.encode(), "sha256")).rstrip(b"=").decode()


async def refresh(token: str) -> str:
    """Use a refresh token, and return the next one."""
    family, _, secret = token.partition(".")
    child = child_of(token)
    new, old = (hashlib.sha256(value.encode()).digest() for value in (child, secret))
    async with state["pool"].acquire(timeout=10) as database, database.transaction():
        row = await database.fetchrow(ROTATE, new, "127.0.0.1", family, old, timeout=10)
        if row is None:
            raise LookupError("the refresh token is unknown or used")
        await database.fetchrow(OWNER, row["client_id"], row["account_id"], timeout=10)
    return f"{family}.{child}"


async def app(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Answer POST requests with a refresh token in a form. An unknown token is answered with 500."""
    if scope["type"] == "lifespan":
        await receive()
        url = os.environ["BENCH_DATABASE_URL"]
        state["pool"] = await asyncpg.create_pool(url, min_size=CONNECTIONS, max_size=CONNECTIONS, timeout=10)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        state["pool"].terminate()
        await send({"type": "lifespan.shutdown.complete"})
        return
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    token = await refresh(parse_qs(body.decode())["refresh_token"][0])
    answer = json.dumps({"refresh_token": token}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


if __name__ == "__main__":
    uvicorn.run(
        "bench.refresh_app:app", port=int(os.environ["BENCH_PORT"]), log_config=None, access_log=False, lifespan="on"
    )
