"""Access tokens: signed JWTs with a short lifetime (RFC 9068). The other services verify them without calling auth."""

import secrets
import time

import jwt

from contracts.tokens import TOKEN_TYPE, AccessClaims
from services.auth.keys.signing_keys import SigningKey
from services.auth.settings import settings


def sign_access_token(
    key: SigningKey,
    subject: str,
    *,
    client_id: str,
    scope: str,
    sid: str | None = None,
    email: str | None = None,
    email_verified: bool | None = None,
    name: str | None = None,
) -> str:
    """Return a signed token that is valid for `auth_access_token_seconds`."""
    now = int(time.time())
    claims = AccessClaims(
        iss=settings.token_issuer,
        sub=subject,
        aud=settings.token_audience,
        exp=now + settings.auth_access_token_seconds,
        iat=now,
        jti=secrets.token_urlsafe(16),
        client_id=client_id,
        sid=sid,
        scope=scope,
        email=email,
        email_verified=email_verified,
        name=name,
    )
    header = {"typ": TOKEN_TYPE, "kid": key.kid}
    return jwt.encode(claims.model_dump(exclude_none=True), key.private, key.algorithm, header)
