"""Authentication: access tokens are verified offline, with a JWKS that stays cached while auth is unavailable (RFC 9068 section 4)."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypedDict

import httpx
import jwt
import structlog
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import ValidationError

from contracts.tokens import TOKEN_TYPE, AccessClaims, Scope
from kit.errors import NotAllowed, NotAuthenticated, Unavailable, raises
from kit.http.client import HttpClient

ALGORITHMS = ("RS256", "ES256", "EdDSA")
MAX_TOKEN_BYTES = 8 * 1024
LEEWAY_SECONDS = 30
"""Allowed difference between the clocks of auth and of this service."""

MAX_AGE_SECONDS = 300
"""Cached keys older than this are fetched again."""

FETCH_INTERVAL_SECONDS = 10
"""Minimum time between two fetches, so that many tokens with unknown `kid`s do not cause as many fetches."""

FETCH_INTERVAL_WITHOUT_KEYS_SECONDS = 1
"""Minimum time between two fetches while no key is cached."""

FETCH_TIMEOUT_SECONDS = 3.0

log = structlog.get_logger("auth")
bearer = HTTPBearer(auto_error=False, description="An access token from POST /auth/token")
FETCH_ERRORS = (httpx.HTTPError, TimeoutError, jwt.PyJWTError, ValueError, TypeError, KeyError, AttributeError)
"""The errors of a fetch: auth did not respond, or the response is not a JWKS."""

FetchKeys = Callable[[], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Caller:
    """The account or client that a verified access token was issued to. `token` authenticates requests to other services on its behalf."""

    id: str
    email: str | None
    scopes: frozenset[str]
    token: str


class JwksCache:
    """The public keys of auth by `kid`, at most five minutes old, or older while auth is unavailable.

    A token with an unknown `kid` (after a rotation) causes another fetch, at most once every ten seconds, or every second while no key is
    cached.
    """

    def __init__(self, fetch: FetchKeys) -> None:
        self._fetch = fetch
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at = self._tried_at = -1e9
        self._lock = asyncio.Lock()

    async def get(self, kid: str) -> jwt.PyJWK | None:
        """Return a key, or None if auth has no key with this `kid`. Raises Unavailable while no key is cached."""
        # One request fetches the keys. Requests whose key is cached do not wait for the fetch.
        if self._is_due(kid) and not (kid in self._keys and self._lock.locked()):
            async with self._lock:
                pause = FETCH_INTERVAL_SECONDS if self._keys else FETCH_INTERVAL_WITHOUT_KEYS_SECONDS
                if self._is_due(kid) and time.monotonic() - self._tried_at > pause:
                    await self._refresh()
        if not self._keys:
            raise Unavailable(
                "Access tokens cannot be verified now, because the auth service is unavailable. Try again in a moment."
            )
        return self._keys.get(kid)

    def _is_due(self, kid: str) -> bool:
        return time.monotonic() - self._fetched_at > MAX_AGE_SECONDS or kid not in self._keys

    async def _refresh(self) -> None:
        try:
            found = jwt.PyJWKSet.from_dict(await self._fetch())
        except FETCH_ERRORS as error:
            log.warning("signing keys not fetched", error=type(error).__name__, reason=str(error)[:200])
        else:
            self._keys = {key.key_id: key for key in found.keys if key.key_id}
            self._fetched_at = time.monotonic()
        finally:
            self._tried_at = time.monotonic()


def jwks_fetcher(url: str) -> FetchKeys:
    """Return a function that fetches a JWKS over HTTP within three seconds."""

    async def fetch() -> dict[str, Any]:
        async with asyncio.timeout(FETCH_TIMEOUT_SECONDS), HttpClient(timeout=FETCH_TIMEOUT_SECONDS) as client:
            response = await client.get(url)
            response.raise_for_status()
            found: dict[str, Any] = response.json()
            return found

    return fetch


class TokenVerifier:
    """Verifies access tokens: signature, the algorithm of the key, `typ`, issuer, audience and times (RFC 8725, RFC 9068)."""

    def __init__(self, fetch: FetchKeys, *, issuer: str, audience: str) -> None:
        self.keys = JwksCache(fetch)
        self._issuer = issuer
        self._audience = audience

    async def verify(self, token: str) -> AccessClaims:
        """Return the claims of a valid access token. Raises NotAuthenticated, or Unavailable while no key is cached."""
        if len(token) > MAX_TOKEN_BYTES:
            raise NotAuthenticated
        try:
            header = jwt.get_unverified_header(token)
            kid = header.get("kid")
            key = await self.keys.get(kid) if isinstance(kid, str) and header.get("alg") in ALGORITHMS else None
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
            return AccessClaims.model_validate(payload, strict=True)
        except (jwt.PyJWTError, ValidationError, ValueError, RecursionError) as error:
            raise NotAuthenticated from error


class AuthState(TypedDict):
    """The attributes of `request.state` that the dependencies below need. The lifespan of each service yields them."""

    verifier: TokenVerifier


@raises(NotAuthenticated, Unavailable)
async def authenticate(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
) -> Caller:
    """Return the caller of the request (for `Depends`). Answers 401 without a valid access token."""
    if credentials is None:
        raise NotAuthenticated(headers={"WWW-Authenticate": "Bearer"})
    verifier: TokenVerifier = request.state.verifier
    claims = await verifier.verify(credentials.credentials)
    return Caller(id=claims.sub, email=claims.email, scopes=claims.scopes, token=credentials.credentials)


def require_scope(scope: Scope) -> Callable[[Caller], Awaitable[Caller]]:
    """Return a dependency for callers whose token carries `scope`. Answers 403 otherwise (RFC 6750 section 3.1)."""

    @raises(NotAllowed)
    async def check(caller: Annotated[Caller, Depends(authenticate)]) -> Caller:
        if scope not in caller.scopes:
            raise NotAllowed(
                f"The access token does not have the scope {scope}, which this request requires.",
                headers={"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'},
            )
        return caller

    return check
