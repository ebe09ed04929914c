"""What a verifier or a client library needs to find its way: the public keys, and where the endpoints are."""

from typing import Any, get_args

from fastapi import APIRouter, Response

from contracts.tokens import Scope
from kit.errors import Unavailable, problem_responses
from services.auth.keys import ring
from services.auth.settings import settings
from services.auth.token_endpoint import GRANTS

router = APIRouter(prefix="/.well-known", tags=["discovery"])


@router.get("/jwks.json", responses=problem_responses(Unavailable))
async def jwks(response: Response) -> dict[str, Any]:
    """The public keys (RFC 7517), newest first. Look again when a token names a key that you do not know."""
    # Whoever keeps it no longer than that has a new key before it signs.
    response.headers["Cache-Control"] = f"public, max-age={settings.auth_key_activation_seconds}"
    return await ring.jwks()


@router.get("/oauth-authorization-server")
async def metadata() -> dict[str, Any]:
    """Authorization server metadata (RFC 8414)."""
    issuer = settings.token_issuer
    return {
        "issuer": issuer,
        "token_endpoint": f"{issuer}/auth/token",
        "revocation_endpoint": f"{issuer}/auth/revoke",
        "jwks_uri": f"{issuer}/.well-known/jwks.json",
        "scopes_supported": sorted(get_args(Scope)),
        "response_types_supported": [],
        "grant_types_supported": list(GRANTS),
        "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
    }
