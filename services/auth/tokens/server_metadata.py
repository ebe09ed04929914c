"""Discovery: the metadata of the authorization server."""

from typing import get_args

from contracts.tokens import Scope
from kit.http.routing import Router
from services.auth.settings import settings
from services.auth.tokens.schemas import GrantType, ServerMetadata

AUTH_METHODS = ["none", "client_secret_basic", "client_secret_post"]
router = Router(prefix="/.well-known", tags=["discovery"])


@router.get("/oauth-authorization-server", summary="Get the server metadata")
async def get_server_metadata() -> ServerMetadata:
    """Return the endpoints, scopes and grant types of this authorization server (RFC 8414)."""
    return _metadata()


@router.get("/openid-configuration", summary="Get the OpenID configuration, which is the server metadata")
async def get_openid_configuration() -> ServerMetadata:
    """Return the same metadata as /.well-known/oauth-authorization-server. Gateways such as AWS read it at this path only.

    This server is not an OpenID provider: it issues no ID tokens.
    """
    return _metadata()


def _metadata() -> ServerMetadata:
    issuer = settings.token_issuer
    return ServerMetadata(
        issuer=issuer,
        token_endpoint=f"{issuer}/auth/token",
        revocation_endpoint=f"{issuer}/auth/revoke",
        jwks_uri=f"{issuer}/.well-known/jwks.json",
        scopes_supported=sorted(get_args(Scope)),
        # RFC 8414 requires the member. There is no authorization endpoint, so no response type returns anything.
        response_types_supported=["none"],
        grant_types_supported=list(GrantType),
        token_endpoint_auth_methods_supported=AUTH_METHODS,
        revocation_endpoint_auth_methods_supported=AUTH_METHODS,
    )
