"""Addresses to which a merchant uploads a file: signed, for half an hour, as a bucket in the cloud gives them out."""

import hashlib
import hmac
import secrets
import time

from sandbox.disputes.errors import UploadRefused

LIFETIME = 1_800
"""Seconds."""


def new_name() -> str:
    return secrets.token_hex(10)


def address(origin: str, key: bytes, name: str) -> str:
    expires = int(time.time()) + LIFETIME
    return f"{origin}/sandbox/uploads/{name}?expires={expires}&signature={_signature(key, name, expires)}"


def check(key: bytes, name: str, expires: int, signature: str) -> None:
    """Errors: UploadRefused."""
    right = _signature(key, name, expires).encode()
    if not hmac.compare_digest(right, signature.encode()) or expires < time.time():
        raise UploadRefused


def _signature(key: bytes, name: str, expires: int) -> str:
    return hmac.new(b"upload " + key, f"{name} {expires}".encode(), hashlib.sha256).hexdigest()
