"""Authentication: access tokens are verified offline, with a JWKS that stays cached while auth is unavailable (RFC 9068 section 4)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypedDict

import jwt
from fastapi import Request
from fastapi.security import HTTPBearer
from pydantic import ValidationError
from starlette.types import Scope as RequestScope

from contracts.tokens import TOKEN_TYPE, AccessClaims, Scope
from kit.errors import NotAllowed, NotAuthenticated, Problem, Unavailable, raises
from kit.jwks import FetchKeys, JwksCache
from kit.verified_tokens import VerifiedToken, VerifiedTokens

ALGORITHMS = ("RS256", "ES256", "EdDSA")
MAX_TOKEN_BYTES = 8 * 1024
LEEWAY_SECONDS = 30
"""Allowed difference between the clocks of auth and of this service."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The account or program that a verified access token was issued to. `token` authenticates requests to other services on its behalf."""

    id: str
    email: str | None
    scopes: frozenset[str]
    token: str
    email_verified: bool = False
    session_id: str | None = None
    """None for a program."""
    name: str | None = None
    """The account's display name, if it has one."""


class TokenVerifier:
    """Verifies access tokens: signature, the algorithm of the key, `typ`, issuer, audience and times (RFC 8725, RFC 9068).

    `is_revoked` is called at each request, also for a token that was verified before.
    """

    def __init__(
        self, fetch: FetchKeys, *, issuer: str, audience: str, is_revoked: Callable[[AccessClaims], bool] | None = None
    ) -> None:
        self.keys = JwksCache(fetch)
        self._issuer = issuer
        self._audience = audience
        self._is_revoked = is_revoked
        self._verified = VerifiedTokens()

    async def verify(self, token: str) -> AccessClaims:
        """Return the claims of a valid access token.

        Raises NotAuthenticated, or Unavailable if the key is not cached and auth does not answer.
        """
        if len(token) > MAX_TOKEN_BYTES:
            raise NotAuthenticated
        digest = VerifiedTokens.digest(token)
        found = self._verified.get(digest)
        if found is not None and self.keys.cached(found.kid) is not found.key:
            self._verified.remove(digest)  # auth does not publish this key any more
            found = None
        if found is None:
            found = await self._verify(token)
            self._verified.add(digest, found)
        if self._is_revoked is not None and self._is_revoked(found.claims):
            raise NotAuthenticated
        return found.claims

    async def _verify(self, token: str) -> VerifiedToken:
        try:
            header = jwt.get_unverified_header(token)
            kid = header.get("kid")
            if not isinstance(kid, str) or header.get("alg") not in ALGORITHMS:
                raise NotAuthenticated
            key = await self.keys.get(kid)
            if key is None or str(header.get("typ", "")).lower().removeprefix("application/") != TOKEN_TYPE:
                raise NotAuthenticated
            payload = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                issuer=self._issuer,
                audience=self._audience,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "iss", "aud", "sub", "jti", "client_id"]},
            )
            return VerifiedToken(AccessClaims.model_validate(payload, strict=True), kid, key)
        except (jwt.PyJWTError, ValidationError, ValueError, RecursionError) as error:
            raise NotAuthenticated from error


class AuthState(TypedDict):
    """The attributes of `request.state` that the dependencies below need. The lifespan of each service yields them."""

    verifier: TokenVerifier


def bearer_token(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the token of the header `Authorization: Bearer ...`, or an empty text."""
    for name, value in headers:
        if name == b"authorization":
            scheme, _, token = value.partition(b" ")
            return token.strip().decode("latin-1") if scheme.lower() == b"bearer" else ""
    return ""


_VERIFIED, _REFUSED = "kit.auth.verified", "kit.auth.refused"
"""The keys of the ASGI scope under which `verify_early` stores the token with its claims, or the class and the detail of the error. Clients
cannot set them."""


async def verify_early(scope: RequestScope) -> AccessClaims | None:
    """Return the claims of the access token of a request, for middleware, or None if it has no valid one or if it cannot be verified now.

    The dependencies below use the result, so that even a forged token is verified only once. They raise the error of the verification.
    """
    verifier: TokenVerifier | None = scope.get("state", {}).get("verifier")
    token = bearer_token(scope["headers"])
    if verifier is None or not token:
        return None
    try:
        claims = await verifier.verify(token)
    except (NotAuthenticated, Unavailable) as error:
        scope[_REFUSED] = (type(error), error.detail)  # not the error: its traceback would lead back to the scope
        return None
    scope[_VERIFIED] = (token, claims)
    return claims


async def _verified(request: Request) -> tuple[str, AccessClaims]:
    """Return the access token of a request and its claims. Raises NotAuthenticated and Unavailable."""
    found: tuple[str, AccessClaims] | None = request.scope.get(_VERIFIED)
    if found is not None:
        return found
    refused: tuple[type[Problem], str] | None = request.scope.get(_REFUSED)
    if refused is not None:
        error, detail = refused
        raise error(detail)
    token = bearer_token(request.scope["headers"])
    if not token:
        raise NotAuthenticated(headers={"WWW-Authenticate": "Bearer"})
    verifier: TokenVerifier = request.state.verifier
    return token, await verifier.verify(token)


class BearerToken(HTTPBearer):
    """A dependency that returns the caller of a request: 401 without a valid access token, 403 without one of `scopes`, if there are any
    (RFC 6750 section 3.1).

    It is one dependency without others, because FastAPI spends about as much time on each dependency as the route itself needs.
    """

    def __init__(self, *scopes: Scope) -> None:
        super().__init__(
            scheme_name="HTTPBearer", description="An access token from POST /auth/token", auto_error=False
        )
        self._scopes = scopes

    async def __call__(self, request: Request) -> Caller:  # type: ignore[override]  # our caller instead of the header
        token, claims = await _verified(request)
        scopes = claims.scopes
        if self._scopes and scopes.isdisjoint(self._scopes):
            raise NotAllowed(
                f"The access token does not have the scope {' or '.join(self._scopes)}, which this request requires. "
                "Use a token that has it.",
                headers={"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{self._scopes[0]}"'},
            )
        return Caller(
            id=claims.sub,
            email=claims.email,
            scopes=scopes,
            token=token,
            email_verified=claims.email_verified is True,
            session_id=claims.sid,
            name=claims.name,
        )


authenticate = raises(NotAuthenticated, Unavailable)(BearerToken())
"""The caller of the request, with any scope."""


def require_scope(*scopes: Scope) -> BearerToken:
    """Return a dependency for callers whose token carries one of `scopes`."""
    return raises(NotAuthenticated, Unavailable, NotAllowed)(BearerToken(*scopes))
