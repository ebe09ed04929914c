"""Keyset pagination: a cursor contains the sort keys of the last row of a page, so inserted or deleted rows do not shift the next pages.

Cursors are encrypted: a sort key can be the number of a row, which would tell customers how many orders or payments a shop has.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Any, TypeVar, overload
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from fastapi import Query

from kit.errors import Problem

T = TypeVar("T")
Key = str | int | datetime | UUID
A = TypeVar("A", bound=Key)
B = TypeVar("B", bound=Key)
C = TypeVar("C", bound=Key)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Limit = Annotated[int, Query(ge=1, le=100, description="Maximum number of items on the page")]
CursorParam = Annotated[str | None, Query(max_length=2000, description="`next_cursor` of the previous page")]


class InvalidCursor(Problem):
    """This cursor does not belong to this list. Start again without a cursor."""

    status = 400


class CursorEncryption:
    """Encrypts and authenticates the contents of cursors (AES-SIV, RFC 5297), under a random key until `use_secret` is called."""

    def __init__(self) -> None:
        self._cipher = AESSIV(AESSIV.generate_key(256))

    def use_secret(self, secret: str) -> None:
        """Derive the key from a secret that all processes of a service share. Cursors of another secret are refused.

        scrypt makes each guess of a weak secret expensive for a client that has a cursor.
        """
        self._cipher = AESSIV(_derive_key(secret))

    def encrypt(self, list_name: str, content: bytes) -> bytes:
        """Return the encrypted content. Only a call with the same `list_name` can decrypt it."""
        return self._cipher.encrypt(content, [list_name.encode()])

    def decrypt(self, list_name: str, content: bytes) -> bytes:
        """Return the decrypted content. Raises InvalidTag if it was not encrypted with this secret and `list_name`."""
        return self._cipher.decrypt(content, [list_name.encode()])


@lru_cache(maxsize=1)
def _derive_key(secret: str) -> bytes:
    """Takes 50 ms of CPU time. The cache is for tests, which create many apps in one process."""
    return hashlib.scrypt(secret.encode(), salt=b"cursors of lists", n=2**14, r=8, p=1, dklen=32)


encryption = CursorEncryption()
"""The encryption of this process. `create_app` gives it the secret of the service."""


def encode_cursor(list_name: str, *keys: Key) -> str:
    """Return an opaque cursor with the sort keys of the last row. Times are encoded in microseconds.

    The cursor is valid only for the list with this name. If a list has several sort orders, each needs another name.
    """
    content = json.dumps([*map(_encode_key, keys)], ensure_ascii=False).encode()
    return base64.urlsafe_b64encode(encryption.encrypt(list_name, content)).decode().rstrip("=")


@overload
def decode_cursor(cursor: str, list_name: str, first: type[A], /) -> tuple[A]: ...


@overload
def decode_cursor(cursor: str, list_name: str, first: type[A], second: type[B], /) -> tuple[A, B]: ...


@overload
def decode_cursor(
    cursor: str, list_name: str, first: type[A], second: type[B], third: type[C], /
) -> tuple[A, B, C]: ...


def decode_cursor(cursor: str, list_name: str, *kinds: Any) -> Any:
    """Return the sort keys of a cursor. `kinds` are the types of the keys.

    Raises InvalidCursor if the cursor was not encoded with the same `list_name` and with keys of these types.
    """
    try:
        raw = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        found = json.loads(encryption.decrypt(list_name, raw))
    except (ValueError, binascii.Error, InvalidTag) as error:
        raise InvalidCursor from error
    if len(found) != len(kinds):
        raise InvalidCursor
    return tuple(_decode_key(value, kind) for value, kind in zip(found, kinds, strict=True))


def split_page(rows: Sequence[T], limit: int, cursor_of: Callable[[T], str]) -> tuple[Sequence[T], str | None]:
    """Return a page and the cursor of the next page, or None on the last page. `rows` are the result of a query with LIMIT `limit` + 1.

    `cursor_of` returns the cursor of the page that begins after a row.
    """
    if len(rows) <= limit:
        return rows, None
    return rows[:limit], cursor_of(rows[limit - 1])


def _encode_key(key: Key) -> str | int:
    if isinstance(key, datetime):
        return (key - EPOCH) // timedelta(microseconds=1)
    return key.hex if isinstance(key, UUID) else key


def _decode_key(value: object, kind: type[Key]) -> Key:
    try:
        if isinstance(value, str) and kind is UUID:
            return UUID(hex=value)
        if isinstance(value, str) and kind is str and _storable(value):
            return value
        if type(value) is int and abs(value) <= 2**62 and kind is int:
            return value
        if type(value) is int and kind is datetime:
            return EPOCH + timedelta(microseconds=value)
    except (ValueError, OverflowError) as error:
        raise InvalidCursor from error
    raise InvalidCursor


def _storable(key: str) -> bool:
    # Postgres stores neither NUL nor lone surrogates.
    return "\x00" not in key and key.encode("utf-8", "replace").decode() == key
