"""Idempotency-Key: whoever asks twice gets one result, and the first answer again (draft-ietf-httpapi-idempotency-key-header).

The key is claimed in the transaction that does the work. A second request with the key waits for the first one's commit at the unique
index, for at most the lock timeout; a request that failed leaves no key behind and may be tried again. Work that takes several
transactions holds its key through kit.idempotency.long_running.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import Header
from pydantic import BaseModel
from sqlalchemy import Index, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from kit.db.errors import is_contention
from kit.errors import Problem
from kit.fields import IdempotencyKey

RETENTION = timedelta(hours=24)

KeyHeader = Annotated[
    IdempotencyKey | None,
    Header(
        alias="Idempotency-Key", description="A value of yours, one for each intent; repeat it to repeat the answer"
    ),
]


class IdempotencyKeyReused(Problem):
    """This Idempotency-Key came before with another request; a new intent needs a new key."""

    status = 422


class IdempotencyKeyInUse(Problem):
    """A request with this Idempotency-Key is still being carried out; ask again in a moment."""

    status = 409


class StoredKey:
    """Mixin for a service's table of keys and the answers that they got."""

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
    def __table_args__(cls) -> tuple[Any, ...]:
        return (Index(None, "created_at"),)


@dataclass(frozen=True, slots=True)
class IdempotentRequest:
    """One caller's key for one operation, with what was asked."""

    caller: str
    operation: str
    key: str
    fingerprint: str

    @classmethod
    def of(cls, caller: str, operation: str, key: str | None, request: BaseModel) -> "IdempotentRequest | None":
        """None where the client sent no key."""
        if key is None:
            return None
        asked = json.dumps(request.model_dump(mode="json"), sort_keys=True).encode()
        return cls(caller, operation, key, hashlib.sha256(asked).hexdigest())


@dataclass(frozen=True, slots=True)
class StoredResponse:
    status: int
    body: dict[str, Any]


async def begin(
    session: AsyncSession, keys: type[StoredKey], intent: IdempotentRequest | None
) -> StoredResponse | None:
    """The kept answer, or None: then the work is the caller's to do, and its answer to `keep`, in this transaction.

    Raises IdempotencyKeyReused, and IdempotencyKeyInUse while the first request has no answer yet.
    """
    if intent is None or await insert_key(session, keys, intent):
        return None
    found = await session.execute(select(keys.fingerprint, keys.status, keys.body).where(*is_key(keys, intent)))
    kept = check_same_request(found.one_or_none(), intent)
    if kept.status is None:
        raise IdempotencyKeyInUse
    return StoredResponse(kept.status, kept.body)


async def insert_key(session: AsyncSession, keys: type[StoredKey], intent: IdempotentRequest, **more: Any) -> bool:
    """Whether the key was not known before. Raises IdempotencyKeyInUse where another transaction holds it for too long."""
    row = {"caller": intent.caller, "operation": intent.operation, "key": intent.key, "fingerprint": intent.fingerprint}
    try:
        claimed = await session.execute(insert(keys).values(row | more).on_conflict_do_nothing().returning(keys.key))
    except DBAPIError as error:
        if is_contention(error):
            raise IdempotencyKeyInUse from error
        raise
    return claimed.scalar_one_or_none() is not None


def check_same_request(found: Any, intent: IdempotentRequest) -> Any:
    """A key that was found, where it came with the same request. Raises IdempotencyKeyReused, IdempotencyKeyInUse."""
    if found is None:  # the first request failed and released the key between our two looks
        raise IdempotencyKeyInUse
    if found.fingerprint != intent.fingerprint:
        raise IdempotencyKeyReused
    return found


async def store_response(
    session: AsyncSession, keys: type[StoredKey], intent: IdempotentRequest | None, status: int, body: BaseModel
) -> None:
    """Keep the answer for whoever sends the key again."""
    if intent is not None:
        answer = update(keys).where(*is_key(keys, intent)).values(status=status, body=body.model_dump(mode="json"))
        await session.execute(answer)


async def prune(session: AsyncSession, keys: type[StoredKey], limit: int = 1000) -> int:
    """Forget keys older than a day, at most `limit` of them. How many it were."""
    old = select(keys.caller, keys.operation, keys.key).where(keys.created_at < func.now() - RETENTION).limit(limit)
    these = delete(keys).where(func.row(keys.caller, keys.operation, keys.key).in_(old))
    found = await session.execute(these)
    return int(found.rowcount)  # type: ignore[attr-defined]


def is_key(keys: type[StoredKey], intent: IdempotentRequest) -> tuple[Any, ...]:
    return keys.caller == intent.caller, keys.operation == intent.operation, keys.key == intent.key
