"""User names in logs: a keyed hash, so that lines about a name can be found, and names cannot be guessed from the log."""

import hmac

PURPOSE = b"user name in logs\0"
"""Separates these hashes from refresh tokens, which are derived from the same secret and have no spaces."""


def hash_name(secret: bytes, name: str) -> str:
    """Return 16 hexadecimal digits for a normalized user name. `secret`: the refresh secret in AUTH_KEYS_DIR."""
    return hmac.digest(secret, PURPOSE + name.encode("utf-8", "replace"), "sha256").hex()[:16]
