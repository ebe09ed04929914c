"""Create, change and remove client applications and their secrets."""

import hashlib
import re
import secrets
from collections.abc import Set
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.tokens import PERSON_SCOPES, PROGRAM_SCOPES
from services.auth.clients.models import Client, ClientSecret

DEFAULT_CLIENT = "shop"
"""The public client of requests without a `client_id`. The migration creates it."""

CLIENT_ID = re.compile(r"[a-z][a-z0-9-]{0,29}")
"""At most 30 characters, which is shorter than a UUID, so that the `sub` of a client is never the id of an account."""

MAX_SECRETS = 2
"""One that is used, and the next one, so that a program can be changed over without an interruption."""

MAX_CLIENTS = 1000


class ClientRefused(ValueError):
    """The client cannot be created or changed. The message says why."""


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A secret, which cannot be read again: only its digest is stored."""

    id: int
    secret: str


def secret_digest(secret: str) -> bytes:
    """Return the SHA-256 of a client's secret."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()


def check_scopes(scopes: Set[str], *, public: bool) -> str:
    """Return the scopes, space-separated.

    Raises ClientRefused if there is none, or one that cannot be granted to this kind of client (contracts/tokens.py).
    """
    grantable = PERSON_SCOPES if public else PROGRAM_SCOPES
    refused = sorted(set(scopes) - grantable)
    if refused or not scopes:
        whose = "the people who use a public client" if public else "programs"
        first = f"cannot be granted to {whose}: {', '.join(refused)}" if refused else "name at least one scope"
        raise ClientRefused(f"{first}. Scopes of {whose}: {', '.join(sorted(grantable))}")
    return " ".join(sorted(scopes))


async def create(db: AsyncSession, client_id: str, scopes: Set[str], *, public: bool) -> NewSecret | None:
    """Create a client and return its first secret, or None for a public client.

    Raises ClientRefused if the id is taken or malformed, or if a scope cannot be granted.
    """
    scope = check_scopes(scopes, public=public)
    if not CLIENT_ID.fullmatch(client_id):
        raise ClientRefused(
            f"{client_id!r} cannot be a client_id: use at most 30 lower-case letters, digits and -, and begin with a letter"
        )
    row = insert(Client).values(id=client_id, public=public, scope=scope)
    created = await db.scalar(row.on_conflict_do_nothing(index_elements=[Client.id]).returning(Client.id))
    if created is None:
        raise ClientRefused(f"a client {client_id!r} already exists")
    return None if public else await _insert_secret(db, client_id)


async def add_secret(db: AsyncSession, client_id: str) -> NewSecret:
    """Add a secret. The others stay valid. Raises ClientRefused for an unknown or public client, and if it has two secrets already."""
    client = await get_locked(db, client_id)
    if client.public:
        raise ClientRefused(f"{client_id!r} is a public client: it has no secret")
    existing = (await db.scalars(select(ClientSecret.id).where(ClientSecret.client_id == client_id))).all()
    if len(existing) >= MAX_SECRETS:
        raise ClientRefused(
            f"{client_id!r} has {MAX_SECRETS} secrets already: {', '.join(map(str, sorted(existing)))}."
            " Remove the one that is no longer used"
        )
    return await _insert_secret(db, client_id)


async def _insert_secret(db: AsyncSession, client_id: str) -> NewSecret:
    secret = secrets.token_urlsafe(32)
    row = insert(ClientSecret).values(client_id=client_id, digest=secret_digest(secret)).returning(ClientSecret.id)
    return NewSecret((await db.execute(row)).scalar_one(), secret)


async def remove_secret(db: AsyncSession, client_id: str, secret_id: int) -> None:
    """Remove a secret, which is refused from then on. Raises ClientRefused if the client has no such secret."""
    await get_locked(db, client_id)
    removed = delete(ClientSecret).where(ClientSecret.client_id == client_id, ClientSecret.id == secret_id)
    if (await db.execute(removed.returning(ClientSecret.id))).first() is None:
        raise ClientRefused(f"{client_id!r} has no secret {secret_id}")


async def set_scopes(db: AsyncSession, client_id: str, scopes: Set[str]) -> tuple[str, str]:
    """Replace the scopes of a client. Return the scopes before and after. Raises ClientRefused."""
    client = await get_locked(db, client_id)
    before, client.scope = client.scope, check_scopes(scopes, public=client.public)
    return before, client.scope


async def remove(db: AsyncSession, client_id: str) -> Client:
    """Remove a client and return it. The caller also ends its sessions and revokes its tokens. Raises ClientRefused.

    DEFAULT_CLIENT cannot be removed: that would end the sessions of all people whose app sends no `client_id`.
    """
    client = await get_locked(db, client_id)
    if client_id == DEFAULT_CLIENT:
        raise ClientRefused(f"{client_id!r} is the client of requests without a client_id, so it cannot be removed")
    await db.delete(client)
    return client


async def get_locked(db: AsyncSession, client_id: str) -> Client:
    """Lock a client until the end of the transaction, and return it. Raises ClientRefused if it does not exist."""
    client = await db.get(Client, client_id, with_for_update=True) if CLIENT_ID.fullmatch(client_id) else None
    if client is None:
        raise ClientRefused(f"there is no client {client_id!r}; `client list` shows all")
    return client


async def list_all(db: AsyncSession) -> list[tuple[Client, list[ClientSecret]]]:
    """Return the first MAX_CLIENTS clients by id, each with its secrets, oldest first."""
    clients = list(await db.scalars(select(Client).order_by(Client.id).limit(MAX_CLIENTS)))
    query = select(ClientSecret).where(ClientSecret.client_id.in_([client.id for client in clients]))
    by_client: dict[str, list[ClientSecret]] = {}
    for secret in await db.scalars(query.order_by(ClientSecret.id)):
        by_client.setdefault(secret.client_id, []).append(secret)
    return [(client, by_client.get(client.id, [])) for client in clients]
