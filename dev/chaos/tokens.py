"""Access tokens of a stack's own key for anybody: hundreds of buyers need not hash hundreds of passwords."""

import base64
import hashlib
import json
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jwt.algorithms import RSAAlgorithm

from contracts.tokens import CUSTOMER_SCOPES

LIFE_SECONDS = 900


class Signer:
    """Signs as auth does, with the newest key in `folder`: RS256, named by its thumbprint (RFC 7638)."""

    def __init__(self, folder: Path, issuer: str) -> None:
        newest = max(folder.glob("*.pem"))
        private = load_pem_private_key(newest.read_bytes(), password=None)
        if not isinstance(private, RSAPrivateKey):
            raise TypeError(f"{newest} is no RSA key")
        public = RSAAlgorithm.to_jwk(private.public_key(), as_dict=True)
        canonical = json.dumps({name: public[name] for name in ("e", "kty", "n")}, separators=(",", ":")).encode()
        self._kid = base64.urlsafe_b64encode(hashlib.sha256(canonical).digest()).rstrip(b"=").decode()
        self._private = private
        self._issuer = issuer

    def bearer(
        self, sub: str | None = None, scopes: frozenset[str] = frozenset(CUSTOMER_SCOPES), **claims: Any
    ) -> dict[str, str]:
        """The header that a client sends."""
        now = int(time.time())
        payload = {
            "iss": self._issuer,
            "aud": "shop",
            "sub": sub or str(uuid4()),
            "client_id": "shop",
            "jti": str(uuid4()),
            "iat": now,
            "exp": now + LIFE_SECONDS,
            "scope": " ".join(sorted(scopes)),
            "email": "payer@example.com",
            **claims,
        }
        headers = {"kid": self._kid, "typ": "at+jwt"}
        return {"Authorization": f"Bearer {jwt.encode(payload, self._private, algorithm='RS256', headers=headers)}"}
