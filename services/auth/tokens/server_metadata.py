"""Discovery: the metadata of the authorization server."""

from typing import get_args

from fastapi import APIRouter

from contracts.tokens import Scope
from services.auth.settings import settings
from services.auth.tokens.schemas import GrantType, ServerMetadata

router = APIRouter(prefix="/.well-known", tags=["discovery"])


@router.get("/oauth-authorization-server", summary="Get the server metadata")
async def metadata() -> ServerMetadata:
    """Return the endpoints, scopes and grant types of this authorization server (RFC 8414)."""
    issuer = settings.token_issuer
    return ServerMetadata(
        issuer=issuer,
        token_endpoint=f"{issuer}/auth/token",
        revocation_endpoint=f"{issuer}/auth/revoke",
        jwks_uri=f"{issuer}/.well-known/jwks.json",
        scopes_supported=sorted(get_args(Scope)),
        response_types_supported=[],
        grant_types_supported=list(GrantType),
        token_endpoint_auth_methods_supported=["none", "client_secret_basic", "client_secret_post"],
    )
