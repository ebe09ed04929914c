"""Sign access tokens for any account with the stack's own key. Hundreds of logins would take too long, because of password hashing."""

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

LIFETIME_SECONDS = 900


class Signer:
    """Signs as auth does, with the newest key in `folder`: RS256, with the key's thumbprint (RFC 7638) as `kid`."""

    def __init__(self, folder: Path, issuer: str) -> None:
        newest = max(folder.glob("*.pem"))
        private = load_pem_private_key(newest.read_bytes(), password=None)
        if not isinstance(private, RSAPrivateKey):
            raise TypeError(f"{newest} is not an RSA key")
        public = RSAAlgorithm.to_jwk(private.public_key(), as_dict=True)
        canonical = json.dumps({name: public[name] for name in ("e", "kty", "n")}, separators=(",", ":")).encode()
        self._kid = base64.urlsafe_b64encode(hashlib.sha256(canonical).digest()).rstrip(b"=").decode()
        self._private = private
        self._issuer = issuer

    def bearer(
        self, sub: str | None = None, scopes: frozenset[str] = frozenset(CUSTOMER_SCOPES), **claims: Any
    ) -> dict[str, str]:
        """Return the Authorization header of an account, by default of a new one."""
        now = int(time.time())
        payload = {
            "iss": self._issuer,
            "aud": "shop",
            "sub": sub or str(uuid4()),
            "client_id": "shop",
            "jti": str(uuid4()),
            "iat": now,
            "exp": now + LIFETIME_SECONDS,
            "scope": " ".join(sorted(scopes)),
            "email": "payer@example.com",
            **claims,
        }
        headers = {"kid": self._kid, "typ": "at+jwt"}
        return {"Authorization": f"Bearer {jwt.encode(payload, self._private, algorithm='RS256', headers=headers)}"}
