"""Response bodies of the public keys."""

from pydantic import Field

from kit.schemas import ResponseModel
from services.auth.keys.signing_keys import Jwk


class JwkSet(ResponseModel):
    """A JWK Set (RFC 7517 section 5)."""

    keys: list[Jwk] = Field(description="Public keys, newest first. Their members depend on `kty` (RFC 7518 section 6)")
