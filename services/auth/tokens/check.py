"""The check of an access token for gateways that ask before they pass a request on."""

from typing import Annotated

from fastapi import Depends, Response

from kit.auth import Caller, authenticate
from kit.http.routing import Router

router = Router(prefix="/auth", tags=["tokens"])


@router.get("/check", summary="Check an access token", response_class=Response)
async def check_access_token(caller: Annotated[Caller, Depends(authenticate)]) -> Response:
    """Return 200 if the access token is valid and not revoked, else 401. The body is empty; nothing is read from the database.

    For gateways with forward authentication: Traefik `forwardAuth`, nginx `auth_request`, Caddy `forward_auth`. The gateway can pass
    these headers of the response on: `X-Auth-Subject` (id of the account or the program), `X-Auth-Scope` (scopes, space-separated) and
    `X-Auth-Session` (id of the session; programs have none). It must remove these headers from the requests of clients.
    """
    headers = {"X-Auth-Subject": caller.id, "X-Auth-Scope": " ".join(sorted(caller.scopes))}
    if caller.session_id is not None:
        headers["X-Auth-Session"] = caller.session_id
    return Response(headers=headers)
