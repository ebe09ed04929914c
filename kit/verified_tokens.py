"""Remember verified access tokens, so that the signature of a token is checked once and not at each request."""

import hashlib
import time
from collections import OrderedDict
from typing import NamedTuple

import jwt

from contracts.tokens import AccessClaims

MAX_TOKENS = 8192
"""About 16 MB. When it is full, the token that was not used for the longest time is removed; it is only verified again."""


class VerifiedToken(NamedTuple):
    """The claims of a token and the key that verified it."""

    claims: AccessClaims
    kid: str
    key: jwt.PyJWK


class VerifiedTokens:
    """Verified tokens by their SHA-256, until they expire.

    Only a token with a valid signature is remembered, so that nobody without such tokens can fill the memory or remove those of others. The
    tokens themselves are not kept.
    """

    def __init__(self, limit: int = MAX_TOKENS) -> None:
        self._limit = limit
        self._tokens: OrderedDict[bytes, VerifiedToken] = OrderedDict()

    def __len__(self) -> int:
        return len(self._tokens)

    @staticmethod
    def digest(token: str) -> bytes:
        """Return the key under which a token is remembered."""
        return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()

    def get(self, digest: bytes) -> VerifiedToken | None:
        """Return a token that was verified and has not expired."""
        found = self._tokens.get(digest)
        if found is None:
            return None
        if found.claims.exp <= time.time():
            del self._tokens[digest]
            return None
        self._tokens.move_to_end(digest)
        return found

    def add(self, digest: bytes, token: VerifiedToken) -> None:
        """Remember a verified token."""
        self._tokens[digest] = token
        if len(self._tokens) > self._limit:
            self._tokens.popitem(last=False)

    def remove(self, digest: bytes) -> None:
        """Forget a token."""
        self._tokens.pop(digest, None)
