"""Signed URLs for file uploads, valid for 30 minutes, like the presigned URLs of an object store."""

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
    """Check the signature and the expiry time of an upload URL. Raises UploadRefused."""
    expected = _signature(key, name, expires).encode()
    if not hmac.compare_digest(expected, signature.encode()) or expires < time.time():
        raise UploadRefused


def _signature(key: bytes, name: str, expires: int) -> str:
    return hmac.new(b"upload " + key, f"{name} {expires}".encode(), hashlib.sha256).hexdigest()
