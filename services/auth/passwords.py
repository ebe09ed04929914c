"""Hashing passwords: slow on purpose, so never on the event loop, and never more at once than there are cores.

`bcrypt_sha256` hashes the password before bcrypt does, so that all of it counts, not its first 72 bytes.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

from passlib.context import CryptContext

from services.auth.errors import PasswordTooEasy, TooBusy
from services.auth.settings import settings

COMMON = frozenset((Path(__file__).parent / "common_passwords.txt").read_text().split())
QUEUED_PER_THREAD = 32
WAIT_SECONDS = 10


def refuse_easy(password: str, email: str) -> None:
    """Raises PasswordTooEasy for the most common passwords, and for the address or its first part (NIST SP 800-63B section 3.1.1.2)."""
    plain = password.strip().lower()
    if plain in COMMON or plain in {email, email.partition("@")[0]} or len(set(plain)) < 3:
        raise PasswordTooEasy


def _context() -> CryptContext:
    return CryptContext(
        schemes=["bcrypt_sha256", "argon2", "bcrypt"],
        default=settings.auth_password_scheme,
        deprecated="auto",
        bcrypt_sha256__rounds=settings.auth_bcrypt_rounds,
        # OWASP Password Storage Cheat Sheet: 19 MiB, two passes, one lane.
        argon2__type="ID",
        argon2__memory_cost=19 * 1024,
        argon2__time_cost=2,
        argon2__parallelism=1,
    )


class Hashing:
    """As many hashes at once as there are cores; a short queue before them, and TooBusy beyond it."""

    def __init__(self, context: CryptContext, threads: int) -> None:
        self._context = context
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="password")
        self._free = asyncio.Semaphore(threads)
        self.threads = threads
        self._queue = threads * QUEUED_PER_THREAD
        self._waiting = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a thread; hash or verify within. Raises TooBusy."""
        if self._waiting >= self._queue:
            raise TooBusy
        self._waiting += 1
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._free.acquire()
        except TimeoutError:
            raise TooBusy from None
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._free.release()

    async def hash(self, password: str) -> str:
        made = await asyncio.get_running_loop().run_in_executor(self._executor, self._context.hash, password)
        return str(made)

    async def verify(self, password: str, stored: str | None) -> tuple[bool, str | None]:
        """Whether it is the password, and a new hash where the stored one is of an older kind.

        With no stored hash the same work is done for nothing: time does not tell whether there is an account.
        """
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._verify, password, stored)

    def _verify(self, password: str, stored: str | None) -> tuple[bool, str | None]:
        try:
            good, better = self._context.verify_and_update(password, stored)
        except ValueError:  # plain bcrypt refuses more than 72 bytes; or what is stored is no hash
            return False, None
        return bool(good), better

    async def warm(self) -> None:
        """Make the hash that unknown users are verified against, so that the first of them takes no longer than the others."""
        async with self.turn():
            await self.verify("", None)


hashing = Hashing(_context(), threads=os.cpu_count() or 1)
