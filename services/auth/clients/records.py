"""Create and delete OAuth clients."""

import hashlib
import re
import secrets
from collections.abc import Set
from typing import get_args

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.tokens import Scope
from services.auth.clients.models import Client

PUBLIC_CLIENT = "shop"
"""The `client_id` in the tokens of customers, who log in with a password. Their apps cannot keep a secret confidential."""

CLIENT_ID = re.compile(r"[a-z][a-z0-9-]{0,29}")
"""At most 30 characters, which is shorter than a UUID, so that the `sub` of a client is never the id of an account."""


class ClientRefused(ValueError):
    """The client cannot be created. The message says why."""


def secret_digest(secret: str) -> bytes:
    """Return the SHA-256 of a client's secret. The secret is 256 random bits, so a slow hash would add nothing."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()


async def create(session: AsyncSession, client_id: str, scopes: Set[str]) -> str:
    """Create a client and return its secret, which is stored only as a digest.

    Raises ClientRefused if the id is taken or malformed, or if a scope is unknown.
    """
    unknown = set(scopes) - set(get_args(Scope))
    if unknown:
        raise ClientRefused(
            f"unknown scope: {', '.join(sorted(unknown))}. Scopes are {', '.join(sorted(get_args(Scope)))}"
        )
    if not CLIENT_ID.fullmatch(client_id) or client_id == PUBLIC_CLIENT:
        raise ClientRefused(
            f"{client_id!r} cannot be a client_id: use at most 30 lower-case letters, digits and -,"
            f" begin with a letter, and do not use {PUBLIC_CLIENT!r}"
        )
    secret = secrets.token_urlsafe(32)
    row = insert(Client).values(id=client_id, secret_digest=secret_digest(secret), scope=" ".join(sorted(scopes)))
    created = await session.scalar(row.on_conflict_do_nothing(index_elements=[Client.id]).returning(Client.id))
    if created is None:
        raise ClientRefused(f"a client {client_id!r} already exists; --renew replaces it and its secret")
    return secret


async def delete(session: AsyncSession, client_id: str) -> Client | None:
    """Delete a client and return it, or None if it did not exist. Its access tokens stay valid until they expire."""
    client = await session.get(Client, client_id)
    if client is not None:
        await session.delete(client)
    return client
