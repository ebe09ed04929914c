"""User names in logs: a keyed hash, so that lines about a name can be found, and names cannot be guessed from the log."""

import hmac

PURPOSE = b"user name in logs\0"
"""Separates these hashes from refresh tokens, which are derived with the same key and have no spaces."""


def hash_name(refresh_token_key: bytes, name: str) -> str:
    """Return 16 hexadecimal digits for a normalized user name."""
    return hmac.digest(refresh_token_key, PURPOSE + name.encode("utf-8", "replace"), "sha256").hex()[:16]
