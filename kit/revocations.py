"""The revocation list of auth, polled in the background: access tokens that are refused before they expire."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from urllib.parse import urljoin

import structlog
from prometheus_client import Counter

from contracts.revocations import RevocationList
from contracts.tokens import AccessClaims
from kit.http.client import HttpClient
from kit.log_throttling import log_failure

POLL_SECONDS = 5.0
"""With the longest fetch, a token is refused within ten seconds after its session has ended."""

FIRST_POLL_SECONDS = 1.0
"""The pause between two fetches until the first one succeeds."""

FETCH_TIMEOUT_SECONDS = 3.0

fetches_total = Counter("revocation_list_fetches_total", "Fetches of auth's revocation list, by result", ["result"])
log = structlog.get_logger("auth")

FetchRevocations = Callable[[], Awaitable[RevocationList | None]]
"""Returns the current list, or None if it is the same as the one that it returned last."""


class Revocations:
    """Decides with the last list that was fetched whether an access token was revoked. While auth is unavailable, that list stays in force.

    A process that has not fetched a list yet refuses no token as revoked. It then usually cannot verify tokens either, because the public
    keys come from auth too.
    """

    def __init__(self, fetch: FetchRevocations) -> None:
        self._fetch = fetch
        self._fetched = False
        self._sessions: frozenset[str | None] = frozenset()
        self._tokens: frozenset[str] = frozenset()
        self._subjects: Mapping[str, int] = {}
        self._issued_before = 0

    def is_revoked(self, claims: AccessClaims) -> bool:
        """Return True if the token with these claims must be refused. Its cost does not depend on the length of the list."""
        return (
            claims.sid in self._sessions
            or claims.jti in self._tokens
            or claims.iat <= self._subjects.get(claims.sub, 0)
            or claims.iat <= self._issued_before
        )

    def use(self, found: RevocationList) -> None:
        """Replace the list."""
        self._sessions = frozenset(found.sessions)
        self._tokens = frozenset(found.tokens)
        self._subjects = found.subjects
        self._issued_before = found.issued_before

    @asynccontextmanager
    async def polling(self, seconds: float = POLL_SECONDS) -> AsyncIterator[None]:
        """Fetch the list before the block, and every `seconds` while the block runs."""
        await self._refresh()
        task = asyncio.create_task(self._poll(seconds))
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _poll(self, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds if self._fetched else min(seconds, FIRST_POLL_SECONDS))
            await self._refresh()

    async def _refresh(self) -> None:
        try:
            found = await self._fetch()
        except Exception as error:  # whatever happens, the last list stays in force and the next fetch may succeed
            fetches_total.labels("failed").inc()
            log_failure(log.warning, "revocation list not fetched", error)
            return
        fetches_total.labels("unchanged" if found is None else "changed").inc()
        self._fetched = True
        if found is not None:
            self.use(found)


def revocations_url(jwks_url: str) -> str:
    """Return the URL of the revocation list of the service that has this JWKS."""
    return urljoin(jwks_url, "/auth/revocations")


def revocations_fetcher(url: str) -> FetchRevocations:
    """Return a function that fetches the revocation list over HTTP within three seconds, unless its ETag is still the same."""
    known_etag = ""

    async def fetch() -> RevocationList | None:
        nonlocal known_etag
        headers = {"If-None-Match": known_etag} if known_etag else {}
        async with asyncio.timeout(FETCH_TIMEOUT_SECONDS), HttpClient(timeout=FETCH_TIMEOUT_SECONDS) as client:
            response = await client.get(url, headers=headers)
            if response.status_code == 304:
                return None
            response.raise_for_status()
            found = RevocationList.model_validate_json(response.content)
            known_etag = response.headers.get("etag", "")
            return found

    return fetch
