"""The public keys."""

from fastapi import Response

from kit.http.routing import Router
from services.auth.keys.key_ring import CurrentKeyRing
from services.auth.keys.schemas import JwkSet
from services.auth.settings import settings

router = Router(prefix="/.well-known", tags=["discovery"])


@router.get("/jwks.json", summary="Get the public keys")
async def get_public_keys(response: Response, key_ring: CurrentKeyRing) -> JwkSet:
    """Return the public keys that verify access tokens, newest first (RFC 7517). Fetch them again when a token names an unknown `kid`."""
    # A verifier that caches the keys for at most this time has each new key before the key signs.
    response.headers["Cache-Control"] = f"public, max-age={settings.auth_key_activation_seconds}"
    return JwkSet.model_validate(await key_ring.jwks())
