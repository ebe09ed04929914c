"""The least that a refresh can cost: one ASGI app without a framework, which runs the same statement on asyncpg, without a transaction.

It answers with the next refresh token and, if BENCH_SIGNS is 1, with an access token that it signs with a key of the same type. It checks
nothing else and logs nothing.
"""

import base64
import hashlib
import hmac
import json
import os
import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

import asyncpg
import jwt
import uvicorn
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

Message = MutableMapping[str, Any]
CONNECTIONS = 15
"""As many as auth has."""

SIGNS = os.environ.get("BENCH_SIGNS") == "1"
REFRESH_TOKEN_KEY = b"key of refresh tokens of the benchmark"
ROTATE = """
UPDATE login_sessions AS s SET secret_digest = $1, parent_digest = secret_digest, rotated_at = now(),
    expires_at = least(now() + idle_lifetime, absolute_expires_at), device = NULL, address = $2, last_used_at = now(),
    access_expires_at = now() + interval '15 minutes'
FROM accounts AS a, roles AS r, clients AS c
WHERE s.token_prefix = $3 AND s.expires_at > now() AND s.secret_digest = $4 AND a.id = s.account_id AND r.name = a.role
    AND c.id = s.client_id
RETURNING s.account_id, s.sid, s.scope, r.scope AS role_scope, c.scope AS client_scope, a.email,
    a.email_verified_at, a.name, c.id AS client_id
"""
KEY = generate_private_key(public_exponent=65537, key_size=2048)
state: dict[str, asyncpg.Pool] = {}


class PoolConnection(asyncpg.Connection):
    """A connection that the pool does not reset: that would be another statement."""

    def get_reset_query(self) -> str:
        return ""


async def create_pool(url: str, size: int) -> asyncpg.Pool:
    """Open connections."""
    return await asyncpg.create_pool(url, min_size=size, max_size=size, connection_class=PoolConnection, timeout=10)


def child_of(token: str) -> str:
    """Return the secret of the next refresh token, as auth computes it."""
    return base64.urlsafe_b64encode(hmac.digest(REFRESH_TOKEN_KEY, token.encode(), "sha256")).rstrip(b"=").decode()


async def refresh(token: str) -> tuple[str, asyncpg.Record]:
    """Use a refresh token. Return the next one, and what its access token says."""
    prefix, _, secret = token.partition(".")
    child = child_of(token)
    new, old = (hashlib.sha256(value.encode()).digest() for value in (child, secret))
    async with state["pool"].acquire(timeout=10) as database:
        row = await database.fetchrow(ROTATE, new, "127.0.0.1", prefix, old, timeout=10)
    if row is None:
        raise LookupError("the refresh token is unknown or used")
    return f"{prefix}.{child}", row


def sign(row: asyncpg.Record) -> str:
    """Return an access token."""
    now = int(time.time())
    scope = " ".join(
        sorted({*row["scope"].split()}.intersection(row["role_scope"].split(), row["client_scope"].split()))
    )
    claims = {"iss": "http://localhost", "sub": str(row["account_id"]), "aud": "shop", "exp": now + 900, "iat": now}
    claims |= {"jti": secrets.token_urlsafe(16), "client_id": row["client_id"], "sid": row["sid"], "scope": scope}
    claims |= {"email": row["email"], "email_verified": row["email_verified_at"] is not None, "name": row["name"]}
    return jwt.encode(claims, KEY, "RS256", {"typ": "at+jwt", "kid": "key"})


async def app(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Answer POST requests with a refresh token in a form. An unknown token is answered with 500."""
    if scope["type"] == "lifespan":
        await receive()
        state["pool"] = await create_pool(os.environ["BENCH_DATABASE_URL"], CONNECTIONS)
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
    token, row = await refresh(parse_qs(body.decode())["refresh_token"][0])
    found = {"refresh_token": token}
    if SIGNS:
        found |= {"access_token": sign(row), "token_type": "Bearer", "scope": row["scope"]}
    answer = json.dumps(found).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


if __name__ == "__main__":
    uvicorn.run(
        "bench.refresh_app:app", port=int(os.environ["BENCH_PORT"]), log_config=None, access_log=False, lifespan="on"
    )
