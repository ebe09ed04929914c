"""The admin that the environment names: there after every start, with the password that stands there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from sqlalchemy.dialects.postgresql import insert

from services.auth import accounts, refresh
from services.auth.db import sessions
from services.auth.models import Account
from services.auth.passwords import hashing
from services.auth.settings import settings

RETRY_SECONDS = 1
log = structlog.get_logger("admin")


async def ensure() -> bool:
    """Make the admin, or bring it to the password of the environment. Whether anything was changed.

    Safe to run again and in several processes at once. An account that had taken the address before becomes the admin's: its old
    password and its refresh tokens are good no longer.
    """
    email, secret = settings.auth_admin_email, settings.auth_admin_password
    if email is None or secret is None:
        return False
    password = secret.get_secret_value()
    async with sessions.begin() as session:
        account = await accounts.with_email(session, email)
    async with hashing.turn():
        if account is not None and account.role == "admin":
            same, _ = await hashing.verify(password, account.password_hash)
            if same:
                return False
        password_hash = await hashing.hash(password)
    async with sessions.begin() as session:
        row = insert(Account).values(email=email, role="admin", password_hash=password_hash)
        account_id = await session.scalar(
            row.on_conflict_do_update(
                index_elements=[Account.email], set_={"role": "admin", "password_hash": password_hash}
            ).returning(Account.id)
        )
        assert account_id is not None  # noqa: S101 -- DO UPDATE returns the row
        await refresh.end_all(session, account_id)
    log.info("the admin has the password of the environment", account_id=str(account_id))
    return True


class Admin:
    """Sees to it at the start of the service, and goes on trying while the database is away."""

    def __init__(self) -> None:
        self.there = False

    async def _once(self) -> None:
        try:
            await ensure()
            self.there = True
        except Exception as error:
            log.warning("the admin cannot be made yet", error=type(error).__name__, reason=str(error)[:200])

    async def _until_there(self) -> None:
        while not self.there:
            await asyncio.sleep(RETRY_SECONDS)
            await self._once()

    @asynccontextmanager
    async def ensured(self) -> AsyncIterator[None]:
        await self._once()
        trying = asyncio.create_task(self._until_there())
        try:
            yield
        finally:
            trying.cancel()
            await asyncio.wait([trying])

    async def check(self) -> str | None:
        """For readiness."""
        return None if self.there else "the admin of the environment is not there yet"
