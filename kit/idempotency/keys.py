"""Idempotency-Key: a repeated request has no second effect and gets the stored response (draft-ietf-httpapi-idempotency-key-header).

The key is inserted in the transaction of the request. A concurrent request with the same key waits at the unique index until the first one
commits, at most for the lock timeout. A failed request stores no key, so the client may send it again. Requests that take several
transactions use kit.idempotency.long_running.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, TypeVar

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

M = TypeVar("M", bound=BaseModel)
RETENTION = timedelta(hours=24)

KeyHeader = Annotated[
    IdempotencyKey | None,
    Header(
        alias="Idempotency-Key",
        description="A unique value that you choose for each operation. Send it again to repeat the request safely: "
        "you get the stored response of the first request. Keys expire after 24 hours.",
    ),
]


RequiredKeyHeader = Annotated[
    IdempotencyKey,
    Header(
        alias="Idempotency-Key",
        description="A unique value that you choose for each operation. It is required, because a repeated request must not have a "
        "second effect: send it again to get the stored response of the first request. Keys expire after 24 hours.",
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
    """A request with an idempotency key, which is unique for its caller and operation. `fingerprint` is a hash of the body."""

    caller: str
    operation: str
    key: str
    fingerprint: str

    @classmethod
    def of(cls, caller: str, operation: str, key: str | None, request: BaseModel | None) -> "IdempotentRequest | None":
        """Return the request with its fingerprint, or None if the client sent no key. `request` is None if it has no body."""
        if key is None:
            return None
        body = None if request is None else request.model_dump(mode="json")
        canonical = json.dumps(body, sort_keys=True).encode()
        return cls(caller, operation, key, hashlib.sha256(canonical).hexdigest())


@dataclass(frozen=True, slots=True)
class StoredResponse:
    status: int
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class FoundKey:
    """An existing row of an idempotency key. `status` and `body` are None while it has no response."""

    fingerprint: str
    status: int | None
    body: dict[str, Any] | None

    def check_same_request(self, request: IdempotentRequest) -> None:
        """Raise IdempotencyKeyReused if the key belongs to another request."""
        if self.fingerprint != request.fingerprint:
            raise IdempotencyKeyReused

    @property
    def response(self) -> StoredResponse | None:
        return None if self.status is None else StoredResponse(self.status, self.body or {})


async def respond_once(
    session: AsyncSession,
    keys: type[StoredKey],
    request: IdempotentRequest | None,
    model: type[M],
    respond: Callable[[], Awaitable[M]],
    *,
    status: int = 201,
) -> M:
    """Call `respond`, store its result as the response, and return it. If the request is repeated, return the stored response instead.

    All of it is in the transaction of `session`. A request without a key (None) is never a repetition. `status` is that of the response.
    Raises IdempotencyKeyReused, and IdempotencyKeyInUse while the first request has no response.
    """
    stored = await begin(session, keys, request)
    if stored is not None:
        return model.model_validate(stored.body)
    response = await respond()
    await store_response(session, keys, request, status, response)
    return response


async def begin(
    session: AsyncSession, keys: type[StoredKey], request: IdempotentRequest | None
) -> StoredResponse | None:
    """Insert the key and return None, or return the stored response if the key exists.

    If the result is None, do the work and call `store_response` in this transaction. Raises IdempotencyKeyReused, and IdempotencyKeyInUse
    while the first request has no response.
    """
    if request is None or await insert_key(session, keys, request):
        return None
    found = await find(session, keys, request)
    if found is None:  # the first request failed between our INSERT and this SELECT
        raise IdempotencyKeyInUse
    return found


async def find(
    session: AsyncSession, keys: type[StoredKey], request: IdempotentRequest | None
) -> StoredResponse | None:
    """Return the stored response of a key, or None if the key does not exist. Raises IdempotencyKeyReused, IdempotencyKeyInUse."""
    if request is None:
        return None
    query = select(keys.fingerprint, keys.status, keys.body).where(*key_conditions(keys, request))
    row = (await session.execute(query)).one_or_none()
    if row is None:
        return None
    found = FoundKey(*row)
    found.check_same_request(request)
    if found.response is None:
        raise IdempotencyKeyInUse
    return found.response


async def insert_key(
    session: AsyncSession, keys: type[StoredKey], request: IdempotentRequest, **columns: object
) -> bool:
    """Insert the key. Return False if it exists. Raises IdempotencyKeyInUse if another transaction locks it until the lock timeout."""
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
    """Store the response to return when the request is repeated. Does nothing for a request without a key."""
    if request is not None:
        values = {"status": status, "body": body.model_dump(mode="json")}
        await session.execute(update(keys).where(*key_conditions(keys, request)).values(values))


async def prune(session: AsyncSession, keys: type[StoredKey], limit: int = 1000) -> int:
    """Delete up to `limit` keys older than RETENTION. Return how many were deleted. Skip those that another worker is deleting."""
    old = select(keys.caller, keys.operation, keys.key).where(keys.created_at < func.now() - RETENTION).limit(limit)
    locked = old.with_for_update(skip_locked=True).cte("locked")
    pruned = delete(keys).where(func.row(keys.caller, keys.operation, keys.key).in_(select(locked))).returning(keys.key)
    return len((await session.execute(pruned)).all())


def key_conditions(keys: type[StoredKey], request: IdempotentRequest) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions that select the row of a key."""
    return keys.caller == request.caller, keys.operation == request.operation, keys.key == request.key
