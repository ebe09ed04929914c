"""The public keys."""

from fastapi import Request, Response

from kit.http.etags import NOT_MODIFIED, conditional_response
from kit.http.routing import Router
from services.auth.keys.key_ring import CurrentKeyRing
from services.auth.keys.schedule import cache_seconds
from services.auth.keys.schemas import JwkSet
from services.auth.settings import settings

router = Router(prefix="/.well-known", tags=["discovery"])


@router.get("/jwks.json", summary="Get the public keys", response_model=JwkSet, responses=NOT_MODIFIED)
async def get_public_keys(request: Request, key_ring: CurrentKeyRing) -> Response:
    """Return the public keys that verify access tokens, newest first (RFC 7517).

    Keep them for the time in `Cache-Control`, and then ask with `If-None-Match`. Fetch them also when a token names an unknown `kid`. A new
    key is published long before it signs (by default 7,500 seconds).
    """
    return conditional_response(
        request,
        JwkSet.model_validate(await key_ring.jwks()).model_dump_json().encode(),
        media_type="application/json",
        cache_control=f"public, max-age={cache_seconds(settings.auth_key_activation_seconds)}",
    )
