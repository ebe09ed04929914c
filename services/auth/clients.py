"""Clients: programs that act for themselves, with an id and a secret."""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections.abc import Set
from typing import get_args
from urllib.parse import unquote_plus

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.tokens import Scope
from services.auth.errors import InvalidClient
from services.auth.models import Client
from services.auth.tokens import PUBLIC_CLIENT

# Shorter than an account's id, however that is written: a client's `sub` must never name an account.
NAME = re.compile(r"[a-z][a-z0-9-]{0,29}")


def digest(secret: str) -> bytes:
    # A secret is 256 random bits: there is nothing that a slow hash would protect.
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()


async def create(session: AsyncSession, name: str, scopes: Set[str]) -> str:
    """A new client's secret, which is stored nowhere. Raises ValueError for a name that is taken or cannot be one, or an unknown scope."""
    unknown = set(scopes) - set(get_args(Scope))
    if unknown:
        raise ValueError(f"unknown scope: {', '.join(sorted(unknown))}")
    if not NAME.fullmatch(name) or name == PUBLIC_CLIENT:
        raise ValueError(
            f"{name!r} cannot be a client's name: lower case, digits and -, at most 30, and not {PUBLIC_CLIENT!r}"
        )
    secret = secrets.token_urlsafe(32)
    row = insert(Client).values(id=name, secret_digest=digest(secret), scope=" ".join(sorted(scopes)))
    made = await session.scalar(row.on_conflict_do_nothing(index_elements=[Client.id]).returning(Client.id))
    if made is None:
        raise ValueError(f"there is a client {name!r}; --renew gives it a new secret")
    return secret


async def remove(session: AsyncSession, name: str) -> bool:
    """Whether there was one. Its access tokens die within minutes."""
    client = await session.get(Client, name)
    if client is not None:
        await session.delete(client)
    return client is not None


async def authenticated(session: AsyncSession, name: str, secret: str) -> Client:
    """Raises InvalidClient, whichever of the two is wrong."""
    client = await session.get(Client, name) if NAME.fullmatch(name) else None
    if client is None or not hmac.compare_digest(client.secret_digest, digest(secret)):
        raise InvalidClient
    return client


def from_basic(authorization: str) -> tuple[str, str]:
    """Name and secret of an `Authorization: Basic` header (RFC 6749 section 2.3.1). Raises InvalidClient for what is none."""
    try:
        raw = base64.b64decode(authorization.partition(" ")[2].strip(), validate=True).decode()
    except (ValueError, binascii.Error) as error:
        raise InvalidClient from error
    name, _, secret = raw.partition(":")
    return unquote_plus(name), unquote_plus(secret)
