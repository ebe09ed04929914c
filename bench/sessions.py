"""Sessions for the benchmarks, written directly into auth's table: logging in would take a quarter of a second of CPU time for each."""

import hashlib
import secrets

import asyncpg

from bench.token_requests import Refresh

SESSIONS = """
INSERT INTO login_sessions (token_prefix, sid, client_id, account_id, secret_digest, scope, idle_lifetime, access_expires_at,
    expires_at, absolute_expires_at)
SELECT token_prefix, md5(token_prefix), 'shop', $3, digest, 'orders:read', interval '30 days', now(), now() + interval '30 days',
    now() + interval '90 days'
FROM unnest($1::text[], $2::bytea[]) AS new (token_prefix, digest)
"""


async def begin(database: asyncpg.Connection, account_id: str, count: int) -> list[Refresh]:
    """Insert sessions of an account, and return a sender for each."""
    tokens = [(secrets.token_urlsafe(16), secrets.token_urlsafe(32)) for _ in range(count)]
    digests = [hashlib.sha256(secret.encode()).digest() for _, secret in tokens]
    await database.execute(SESSIONS, [prefix for prefix, _ in tokens], digests, account_id)
    return [Refresh(f"{prefix}.{secret}") for prefix, secret in tokens]
