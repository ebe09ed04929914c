"""Create what the configuration names: the administrator's account (AUTH_ADMIN_EMAIL, AUTH_ADMIN_PASSWORD) and the client of payments."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import structlog
from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.audit import entries as audit
from kit.audit.actor import Actor
from kit.log_throttling import log_failure
from services.auth.accounts import records, recovery, roles
from services.auth.accounts.password_hashing import PasswordHasher
from services.auth.clients.configured import ensure_payments_client
from services.auth.models import ADMIN, Account, AuditLogEntry
from services.auth.sessions.revocations import end_sessions_of_account
from services.auth.settings import AuthSettings
from services.auth.throttling import devices

RETRY_SECONDS = 1.0
START = Actor(id="configuration", address=socket.gethostname())
"""The actor when the service starts: the person who set AUTH_ADMIN_EMAIL and AUTH_ADMIN_PASSWORD on this host."""
log = structlog.get_logger("admin")


async def ensure_admin(
    db_sessions: async_sessionmaker[AsyncSession], hasher: PasswordHasher, settings: AuthSettings, actor: Actor
) -> bool:
    """Create the administrator's account, or set its role and password. Return True if anything was changed, which is then recorded.

    Idempotent, also in concurrent processes. If a customer has registered this e-mail address, the account becomes the administrator's
    account: its old password is no longer valid, its sessions and a ban end, its devices are forgotten, and pending requests are revoked,
    also its deletion and the tokens that give it an earlier address back.
    """
    email, secret = settings.auth_admin_email, settings.auth_admin_password
    if email is None or secret is None:
        return False
    password = secret.get_secret_value()
    async with db_sessions.begin() as db:
        account = await records.find_by_email(db, email)
    async with hasher.slot():
        if account is not None and account.role == ADMIN and account.banned_at is None:
            unchanged, _ = await hasher.verify(password, account.password_hash)
            if unchanged and account.email_verified:
                return False
        password_hash = await hasher.hash(password)
    async with db_sessions.begin() as db:
        account_id = await _upsert(db, email, password_hash)
        await recovery.revoke_pending_requests(db, account_id, keep_undo=False)
        await end_sessions_of_account(db, account_id)
        await devices.forget_all(db, account_id)
        await audit.record(
            db,
            AuditLogEntry,
            actor,
            "administrator.created" if account is None else "administrator.changed",
            account_id,
            before=None if account is None else {"role": account.role},
            after={"role": ADMIN, "password": "changed"},
        )
    log.info("administrator account created or updated", account_id=str(account_id))
    return True


async def _upsert(db: AsyncSession, email: str, password_hash: str) -> UUID:
    """Insert the administrator's account, or make the account with this address that of the administrator. Return its id."""
    # The operator who sets AUTH_ADMIN_EMAIL vouches for the address. So it counts as verified, and `records.is_reserved` is not checked.
    values = {
        "role": ADMIN,
        "role_from_environment": True,
        "password_hash": password_hash,
        "email_verified_at": func.now(),
        "banned_at": None,
        "banned_until": None,
        "ban_reason": None,
    }
    new = insert(Account).values(email=email, **values)
    upsert = new.on_conflict_do_update(index_elements=[Account.email], set_=values)
    return (await db.execute(upsert.returning(Account.id))).scalar_one()


class Bootstrap:
    """Creates or updates the administrator's account and the client application of payments when the service starts.

    Retries in the background until that succeeds.
    """

    def __init__(
        self,
        db_sessions: async_sessionmaker[AsyncSession],
        hasher: PasswordHasher,
        settings: AuthSettings,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        self.done = False
        self._db_sessions = db_sessions
        self._hasher = hasher
        self._settings = settings
        self._retry_seconds = retry_seconds

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Try once before the block. Then retry until an attempt succeeds or the block ends."""
        await self._try()
        retrying = asyncio.create_task(self._retry())
        try:
            yield
        finally:
            retrying.cancel()
            await asyncio.wait([retrying])

    async def check(self) -> str | None:
        """Return None if what is configured exists and is up to date, else the reason (a readiness check)."""
        if self.done:
            return None
        return "the administrator account or the client application of payments is not created or updated yet"

    async def check_formerly_configured(self) -> str | None:
        """Return a sentence if there are administrators that AUTH_ADMIN_EMAIL named earlier (a readiness warning)."""
        async with self._db_sessions() as db:
            found = await roles.find_formerly_configured(db, self._settings.auth_admin_email)
        if not found:
            return None
        return (
            f"AUTH_ADMIN_EMAIL does not name {len(found)} of the administrators that it named earlier:"
            " end their role with `admin revoke`, or keep it with `admin grant`; `admin list` shows them"
        )

    async def _try(self) -> None:
        try:
            await ensure_admin(self._db_sessions, self._hasher, self._settings, START)
            await ensure_payments_client(self._db_sessions, self._settings.auth_payments_client_secret, START)
            self.done = True
            async with self._db_sessions() as db:
                others = await roles.find_formerly_configured(db, self._settings.auth_admin_email)
            if others:
                log.warning(
                    "administrators are not named by AUTH_ADMIN_EMAIL any more", account_ids=list(map(str, others))
                )
        except Exception as error:
            event = "administrator account or client application of payments not created or updated"
            log_failure(log.warning, event, error)

    async def _retry(self) -> None:
        while not self.done:
            await asyncio.sleep(self._retry_seconds)
            await self._try()
