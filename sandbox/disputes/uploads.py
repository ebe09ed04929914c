"""Signed addresses for file uploads, valid for half an hour, like those of a storage bucket."""

import hashlib
import hmac
import secrets
import time

from sandbox.disputes.errors import UploadRefused

LIFETIME = 1_800
"""Seconds."""


def new_name() -> str:
    return secrets.token_hex(10)


def signed_url(origin: str, key: bytes, name: str) -> str:
    expires = int(time.time()) + LIFETIME
    return f"{origin}/sandbox/uploads/{name}?expires={expires}&signature={_signature(key, name, expires)}"


def check_signature(key: bytes, name: str, expires: int, signature: str) -> None:
    """Errors: UploadRefused, for a wrong signature or an expired address."""
    expected = _signature(key, name, expires).encode()
    if not hmac.compare_digest(expected, signature.encode()) or expires < time.time():
        raise UploadRefused


def _signature(key: bytes, name: str, expires: int) -> str:
    return hmac.new(b"upload " + key, f"{name} {expires}".encode(), hashlib.sha256).hexdigest()
