"""Idempotency-Key: a repeated request has one effect and gets the first response again (draft-ietf-httpapi-idempotency-key-header).

The key is inserted in the transaction that does the work. A second request with the key waits at the unique index for the commit of the
first, at most for the lock timeout. A request that failed leaves no key behind and may be sent again. Work that takes several
transactions uses kit.idempotency.long_running.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import Header
from pydantic import BaseModel
from sqlalchemy import ColumnElement, Index, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, declared_attr, mapped_column
from sqlalchemy.schema import SchemaItem

from kit.db.errors import is_contention
from kit.errors import Problem
from kit.fields import IdempotencyKey

RETENTION = timedelta(hours=24)

KeyHeader = Annotated[
    IdempotencyKey | None,
    Header(
        alias="Idempotency-Key",
        description="A unique value that you choose for each operation. Send it again to repeat the request safely: "
        "you get the first response again. Kept for 24 hours.",
    ),
]


class IdempotencyKeyReused(Problem):
    """This Idempotency-Key was used for another request. Use a new key for a new request."""

    status = 422


class IdempotencyKeyInUse(Problem):
    """A request with this Idempotency-Key is still being processed. Try again in a moment."""

    status = 409


class StoredKey:
    """Mixin for a service's table of idempotency keys and their stored responses."""

    __tablename__ = "idempotency_keys"

    caller: Mapped[str] = mapped_column(primary_key=True)
    operation: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str]
    status: Mapped[int | None]
    body: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    @declared_attr.directive
    @classmethod
    def __table_args__(cls) -> tuple[SchemaItem, ...]:
        return (Index(None, "created_at"),)


@dataclass(frozen=True, slots=True)
class IdempotentRequest:
    """A caller's key for one operation, with a hash of the request."""

    caller: str
    operation: str
    key: str
    fingerprint: str

    @classmethod
    def of(cls, caller: str, operation: str, key: str | None, request: BaseModel) -> "IdempotentRequest | None":
        """Return the idempotent request, or None if the client sent no key."""
        if key is None:
            return None
        canonical = json.dumps(request.model_dump(mode="json"), sort_keys=True).encode()
        return cls(caller, operation, key, hashlib.sha256(canonical).hexdigest())


@dataclass(frozen=True, slots=True)
class StoredResponse:
    status: int
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class FoundKey:
    """A key that was inserted before. `status` and `body` are None while it has no response."""

    fingerprint: str
    status: int | None
    body: dict[str, Any] | None

    def check_same_request(self, request: IdempotentRequest) -> None:
        """Raise IdempotencyKeyReused if the key came with another request."""
        if self.fingerprint != request.fingerprint:
            raise IdempotencyKeyReused

    @property
    def response(self) -> StoredResponse | None:
        return None if self.status is None else StoredResponse(self.status, self.body or {})


async def begin(
    session: AsyncSession, keys: type[StoredKey], request: IdempotentRequest | None
) -> StoredResponse | None:
    """Insert the key and return None, or return the stored response if the key was used before.

    After None, do the work and call `store_response`, both in this transaction. Raises IdempotencyKeyReused, and IdempotencyKeyInUse while
    the first request has no response yet.
    """
    if request is None or await insert_key(session, keys, request):
        return None
    query = select(keys.fingerprint, keys.status, keys.body).where(*key_conditions(keys, request))
    row = (await session.execute(query)).one_or_none()
    if row is None:  # the first request failed and released the key after our INSERT met it
        raise IdempotencyKeyInUse
    found = FoundKey(*row)
    found.check_same_request(request)
    if found.response is None:
        raise IdempotencyKeyInUse
    return found.response


async def insert_key(
    session: AsyncSession, keys: type[StoredKey], request: IdempotentRequest, **columns: object
) -> bool:
    """Insert the key. Return False if it exists. Raises IdempotencyKeyInUse if another transaction locks it for too long."""
    row = {
        "caller": request.caller,
        "operation": request.operation,
        "key": request.key,
        "fingerprint": request.fingerprint,
        **columns,
    }
    try:
        inserted = await session.execute(insert(keys).values(row).on_conflict_do_nothing().returning(keys.key))
    except DBAPIError as error:
        if is_contention(error):
            raise IdempotencyKeyInUse from error
        raise
    return inserted.scalar_one_or_none() is not None


async def store_response(
    session: AsyncSession, keys: type[StoredKey], request: IdempotentRequest | None, status: int, body: BaseModel
) -> None:
    """Store the response for repetitions of the request. Without a key, do nothing."""
    if request is not None:
        values = {"status": status, "body": body.model_dump(mode="json")}
        await session.execute(update(keys).where(*key_conditions(keys, request)).values(values))


async def prune(session: AsyncSession, keys: type[StoredKey], limit: int = 1000) -> int:
    """Delete up to `limit` keys older than RETENTION. Return how many were deleted."""
    old = select(keys.caller, keys.operation, keys.key).where(keys.created_at < func.now() - RETENTION).limit(limit)
    pruned = delete(keys).where(func.row(keys.caller, keys.operation, keys.key).in_(old)).returning(keys.key)
    return len((await session.execute(pruned)).all())


def key_conditions(keys: type[StoredKey], request: IdempotentRequest) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions that select the row of a key."""
    return keys.caller == request.caller, keys.operation == request.operation, keys.key == request.key
