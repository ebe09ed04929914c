"""Hash and verify passwords in a bounded pool of threads.

Hashing is slow on purpose, so it does not run on the event loop, and not in more threads than there are CPUs. bcrypt alone uses only the
first 72 bytes of a password. The scheme `bcrypt_sha256` uses all bytes, because it applies SHA-256 first.
"""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Self

from fastapi import Depends, Request
from passlib.context import CryptContext

from services.auth.accounts.hash_queue import AUTH_ITSELF, HashQueue, Requester, never_disconnected
from services.auth.accounts.hash_threads import lower_priority
from services.auth.accounts.password_rules import normalize

PADDING = bytes(64 * 1024)
"""Bytes that a failed verification hashes with SHA-256 until it has taken as long as all others. One hash takes less than a millisecond."""

SIMILAR = 1.25
"""The processor times of two verifications with the same scheme and cost differ by less than this factor."""


class PasswordHasher:
    """Computes at most one hash per thread at a time. Further callers wait in a fair queue (hash_queue.py)."""

    def __init__(self, context: CryptContext, threads: int) -> None:
        self.threads = threads
        self._context = context
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="password", initializer=lower_priority)
        self._queue = HashQueue(threads)
        self.failure_seconds = 0.0
        """The processor time of each failed verification. `warm_up` measures it for unknown users; a more expensive hash raises it."""

    @classmethod
    def create(cls, scheme: str, bcrypt_rounds: int, threads: int) -> Self:
        """Create a hasher. `scheme`: bcrypt_sha256 or argon2. Hashes of the other schemes are verified too, and reported as outdated."""
        context = CryptContext(
            schemes=["bcrypt_sha256", "argon2", "bcrypt"],
            default=str(scheme),
            deprecated="auto",
            bcrypt_sha256__rounds=bcrypt_rounds,
            # OWASP Password Storage Cheat Sheet: 19 MiB, two passes, one lane.
            argon2__type="ID",
            argon2__memory_cost=19 * 1024,
            argon2__time_cost=2,
            argon2__parallelism=1,
        )
        return cls(context, threads)

    def slot(
        self, requester: Requester = AUTH_ITSELF, disconnected: Callable[[], Awaitable[bool]] = never_disconnected
    ) -> AbstractAsyncContextManager[None]:
        """Reserve a thread for the `with` block, in which `hash` and `verify` are called.

        Raises TooBusy and ClientDisconnect, as `HashQueue.slot`.
        """
        return self._queue.slot(requester, disconnected)

    async def hash(self, password: str) -> str:
        password_hash = await asyncio.get_running_loop().run_in_executor(self._executor, self._context.hash, password)
        return str(password_hash)

    async def verify(self, password: str, stored_hash: str | None) -> tuple[bool, str | None]:
        """Return whether the password is correct, and a new hash to store if the stored hash is outdated.

        `stored_hash` is None if there is no account. All failures take the same processor time, whatever scheme the stored hash has and
        whether there is one, so the response time does not show whether an account exists. A password that is not in NFC is also tried as
        it was sent, because older hashes are of the password as it was sent.
        """
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._verify, password, stored_hash)

    def _verify(self, password: str, stored_hash: str | None) -> tuple[bool, str | None]:
        normalized = normalize(password)
        correct, new_hash = self._verify_exactly(normalized, stored_hash)
        if correct or normalized == password:
            return correct, new_hash
        correct, _ = self._verify_exactly(password, stored_hash)
        return correct, self._context.hash(normalized) if correct else None

    def _verify_exactly(self, password: str, stored_hash: str | None) -> tuple[bool, str | None]:
        started_at = time.thread_time()
        try:
            correct, new_hash = self._context.verify_and_update(password, stored_hash)
        except ValueError:  # more than 72 bytes for plain bcrypt, or the stored text is not a hash
            correct, new_hash = False, None
        if not correct:
            taken = time.thread_time() - started_at
            if taken > self.failure_seconds * SIMILAR:
                self.failure_seconds = taken
            while time.thread_time() - started_at < self.failure_seconds:
                hashlib.sha256(PADDING)
        return bool(correct), new_hash

    async def warm_up(self) -> None:
        """Compute the hash that is used for unknown users, and measure how long its verification takes."""
        async with self.slot():
            await self.verify("", None)
            # The first verification also computed the hash.
            self.failure_seconds = 0
            await self.verify("", None)

    def close(self) -> None:
        """Stop the threads once they are idle."""
        self._executor.shutdown(wait=False)


async def _password_hasher(request: Request) -> PasswordHasher:
    hasher: PasswordHasher = request.state.password_hasher
    return hasher


CurrentPasswordHasher = Annotated[PasswordHasher, Depends(_password_hasher)]
