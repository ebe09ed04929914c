"""The public keys of auth (a JWKS, RFC 7517), cached and refreshed in the background."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import jwt
import structlog

from kit.errors import Unavailable
from kit.http.client import HttpClient
from kit.log_throttling import log_failure

REFRESH_AGE_SECONDS = 30
"""Cached keys older than this are fetched again in the background, so that a key that auth deleted after a leak is used for less than a
minute."""

REFRESH_CHECK_SECONDS = 10.0
"""How often the age of the keys is checked, so that they are refreshed also without requests."""

FETCH_INTERVAL_SECONDS = 10
"""Minimum time between two fetches, so that many tokens with unknown `kid`s do not cause as many fetches."""

FETCH_INTERVAL_WITHOUT_KEYS_SECONDS = 1
"""Minimum time between two fetches while no key is cached."""

FETCH_TIMEOUT_SECONDS = 3.0

FETCH_ERRORS = (httpx.HTTPError, TimeoutError, jwt.PyJWTError, ValueError, TypeError, KeyError, AttributeError)
"""The errors of a fetch: auth did not respond, or the response is not a JWKS."""

log = structlog.get_logger("auth")
FetchKeys = Callable[[], Awaitable[dict[str, Any]]]


class JwksCache:
    """The public keys of auth by `kid`, less than a minute old, or older while auth is unavailable.

    A request whose key is cached never waits for a fetch. A token with an unknown `kid` (after a rotation) waits for another fetch, at
    most once every ten seconds, or every second while no key is cached. If that fetch or the last one failed, it is not known whether auth
    has the key: get() raises Unavailable, because a client that reads "not authenticated" logs out. Clients cannot cause this: whether
    a fetch fails does not depend on the token, and the pause between two fetches is the same after a failure.
    """

    def __init__(self, fetch: FetchKeys) -> None:
        self._fetch = fetch
        self._keys: dict[str, jwt.PyJWK] = {}
        self._document: dict[str, Any] = {}
        self._fetched_at = self._tried_at = -1e9
        self._last_fetch_failed = False
        self._fetching: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def refreshing(self, check_seconds: float = REFRESH_CHECK_SECONDS) -> AsyncIterator[None]:
        """Refresh the keys also without requests while the context is open: the first request of a quiet hour must not use old keys."""
        task = asyncio.create_task(self._refresh_periodically(check_seconds))
        try:
            yield
        finally:
            for running in (task, self._fetching):
                if running is not None:
                    running.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await running

    def cached(self, kid: str) -> jwt.PyJWK | None:
        """Return a key without waiting, or None if it is not cached. Old keys are fetched again in the background."""
        if self._keys and time.monotonic() - self._fetched_at > REFRESH_AGE_SECONDS:
            self._start_fetch()
        return self._keys.get(kid)

    async def get(self, kid: str) -> jwt.PyJWK | None:
        """Return a key, or None if auth has no key with this `kid`. Raises Unavailable if that is not known."""
        key = self.cached(kid)
        if key is None and (fetching := self._start_fetch()) is not None:
            await asyncio.shield(fetching)  # other requests wait for it too
            key = self._keys.get(kid)
        if key is None and (self._last_fetch_failed or not self._keys):
            raise Unavailable(
                "Access tokens cannot be verified now, because the auth service is unavailable. Try again in a moment."
            )
        return key

    def _start_fetch(self) -> asyncio.Task[None] | None:
        """Return the fetch in progress, or a new one; None if the last fetch was too short a time ago."""
        if self._fetching is not None and not self._fetching.done():
            return self._fetching
        pause = FETCH_INTERVAL_SECONDS if self._keys else FETCH_INTERVAL_WITHOUT_KEYS_SECONDS
        if time.monotonic() - self._tried_at <= pause:
            return None
        self._fetching = asyncio.create_task(self._refresh())
        return self._fetching

    async def _refresh(self) -> None:
        try:
            document = await self._fetch()
            if document != self._document:
                found = jwt.PyJWKSet.from_dict(document)
                self._keys = {key.key_id: key for key in found.keys if key.key_id}
                self._document = document
            self._fetched_at = time.monotonic()
            self._last_fetch_failed = False
        except FETCH_ERRORS as error:
            self._last_fetch_failed = True
            log_failure(log.warning, "signing keys not fetched", error)
        finally:
            self._tried_at = time.monotonic()

    async def _refresh_periodically(self, check_seconds: float) -> None:
        while True:
            await asyncio.sleep(check_seconds)
            self.cached("")


def jwks_fetcher(url: str) -> FetchKeys:
    """Return a function that fetches a JWKS over HTTP within three seconds."""

    async def fetch() -> dict[str, Any]:
        async with asyncio.timeout(FETCH_TIMEOUT_SECONDS), HttpClient(timeout=FETCH_TIMEOUT_SECONDS) as client:
            response = await client.get(url)
            response.raise_for_status()
            found: dict[str, Any] = response.json()
            return found

    return fetch
