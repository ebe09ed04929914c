"""The signing keys of a running process (schedule.py says which key is published and which one signs)."""

import asyncio
import time
from pathlib import Path
from typing import Annotated

import structlog
from fastapi import Depends, Request

from kit.errors import Unavailable
from kit.log_throttling import HOUR, log_throttled
from services.auth.keys.key_folder import KeysUnusable, list_files, read_keys
from services.auth.keys.schedule import KeyState, key_states
from services.auth.keys.signing_keys import Jwk, SigningKey
from services.auth.metrics import signing_key_age

RELOAD_SECONDS = 2.0
log = structlog.get_logger("keys")


class KeyRing:
    """Reads the folder again after it was changed, so that a rotation needs no restart. Checks for changes at most every two seconds.

    While the folder cannot be read, the keys that were loaded before stay in use.
    """

    def __init__(self, folder: Path, activation_seconds: float, reload_seconds: float = RELOAD_SECONDS) -> None:
        self.folder = folder
        self.activation_seconds = activation_seconds
        self.reload_seconds = reload_seconds
        self._keys: list[SigningKey] = []
        self._loaded_files: list[tuple[str, int, int]] = []
        self._checked_at = -1e9
        self._lock = asyncio.Lock()

    def load(self) -> None:
        """Read the folder if it has changed. Blocks the thread. Raises KeysUnusable."""
        files = [(path.name, stat.st_mtime_ns, stat.st_size) for _, path, stat in list_files(self.folder)]
        if files != self._loaded_files or not self._keys:
            self._keys = read_keys(self.folder)
            self._loaded_files = files
            log.info("signing keys loaded", kids=[key.kid for key in self._keys])

    async def _current(self) -> list[SigningKey]:
        async with self._lock:
            if time.monotonic() - self._checked_at > self.reload_seconds:
                try:
                    await asyncio.to_thread(self.load)
                except KeysUnusable as error:
                    reason = str(error)
                    log_throttled(
                        log.error,
                        "signing keys not loaded",
                        about=reason,
                        every=HOUR,
                        reason=reason,
                        loaded_keys=len(self._keys),
                    )
                self._checked_at = time.monotonic()
        if not self._keys:
            raise Unavailable("There is no signing key.")
        return self._keys

    async def _by_state(self) -> list[tuple[SigningKey, KeyState]]:
        keys, now = await self._current(), time.time()
        states = key_states([key.created_at for key in keys], now, self.activation_seconds)
        signing_key_age.set(now - keys[states.index(KeyState.SIGNING)].created_at)
        return list(zip(keys, states, strict=True))

    async def signing_key(self) -> SigningKey:
        """Return the key that signs now. Raises Unavailable if there is no key."""
        return next(key for key, state in await self._by_state() if state is KeyState.SIGNING)

    async def jwks(self) -> dict[str, list[Jwk]]:
        """Return the public keys as a JWK Set (RFC 7517 section 5), newest first. Raises Unavailable if there is no key."""
        published = [key.jwk for key, state in await self._by_state() if state is not KeyState.EXPIRED]
        return {"keys": published[::-1]}

    async def check(self) -> str | None:
        """Return None if there is a key, else the reason (a readiness check)."""
        try:
            await self._current()
        except Unavailable as error:
            return error.detail
        return None


async def _key_ring(request: Request) -> KeyRing:
    key_ring: KeyRing = request.state.key_ring
    return key_ring


CurrentKeyRing = Annotated[KeyRing, Depends(_key_ring)]
