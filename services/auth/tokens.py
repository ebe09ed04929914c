"""Access tokens: signed JWTs that live for minutes (RFC 9068). Nobody asks auth whether one is good."""

import secrets
import time
from collections.abc import Set
from typing import Annotated

import jwt
from fastapi import Depends

from contracts.tokens import TOKEN_TYPE, AccessClaims
from kit.auth import Caller, authenticate
from services.auth.errors import InvalidScope
from services.auth.keys import ring
from services.auth.settings import settings

PUBLIC_CLIENT = "shop"
"""The `client_id` of everybody who logs in with a password: apps that could keep no secret."""

CallerOf = Annotated[Caller, Depends(authenticate)]


def narrowed(asked: str | None, granted: Set[str]) -> str:
    """The scope of a token, space-separated: what is asked for, all that is granted where nothing is. Raises InvalidScope."""
    wanted = set((asked or "").split())
    if not wanted <= granted:
        raise InvalidScope
    return " ".join(sorted(wanted or granted))


async def access_token(subject: str, *, client_id: str, scope: str, email: str | None = None) -> str:
    """A token of the newest key, good for `auth_access_token_seconds` from now."""
    key = await ring.signing()
    now = int(time.time())
    claims = AccessClaims(
        iss=settings.token_issuer,
        sub=subject,
        aud=settings.token_audience,
        exp=now + settings.auth_access_token_seconds,
        iat=now,
        jti=secrets.token_urlsafe(16),
        client_id=client_id,
        scope=scope,
        email=email,
    )
    header = {"typ": TOKEN_TYPE, "kid": key.kid}
    return jwt.encode(claims.model_dump(exclude_none=True), key.private, key.algorithm, header)
