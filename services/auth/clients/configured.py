"""The client application of payments, from AUTH_PAYMENTS_CLIENT_SECRET."""

import structlog
from pydantic import SecretStr
from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from contracts.tokens import PAYMENTS_CLIENT
from kit.audit import entries as audit
from kit.audit.actor import Actor
from kit.db.after_commit import after_commit
from services.auth.clients.models import Client, ClientSecret
from services.auth.clients.records import get_locked, secret_digest
from services.auth.models import AuditLogEntry

SCOPE = "orders:read"
"""With it, payments reads the deliveries of catalog when it reconciles, and nothing else."""

log = structlog.get_logger("clients")


async def ensure_payments_client(
    db_sessions: async_sessionmaker[AsyncSession], secret: SecretStr | None, actor: Actor
) -> bool:
    """Create the client application of payments, or give it this secret. Return True if anything was changed, which is then recorded.

    Idempotent, also in concurrent processes. Other secrets of the client are removed. Without a secret in the configuration, nothing is
    changed: `client remove` removes a client that is not needed any more.
    """
    if secret is None:
        return False
    digest = secret_digest(secret.get_secret_value())
    async with db_sessions.begin() as db:
        new = insert(Client).values(id=PAYMENTS_CLIENT, public=False, scope=SCOPE).on_conflict_do_nothing()
        created = await db.scalar(new.returning(Client.id)) is not None
        if (await get_locked(db, PAYMENTS_CLIENT)).public:
            message = "client application of payments not created: a public client has its id"
            after_commit(db, log.warning, message, client_id=PAYMENTS_CLIENT)
            return False
        known = await db.execute(select(ClientSecret.digest).where(ClientSecret.client_id == PAYMENTS_CLIENT))
        if known.scalars().all() == [digest]:
            return False
        await db.execute(delete(ClientSecret).where(ClientSecret.client_id == PAYMENTS_CLIENT))
        row = insert(ClientSecret).values(client_id=PAYMENTS_CLIENT, digest=digest).returning(ClientSecret.id)
        secret_id = (await db.execute(row)).scalar_one()
        act = "client.created" if created else "client.secret_added"
        after = {"public": False, "scope": SCOPE, "secret_id": secret_id} if created else {"secret_id": secret_id}
        await audit.record(db, AuditLogEntry, actor, act, PAYMENTS_CLIENT, after=after)
    log.info("client application of payments created or updated", client_id=PAYMENTS_CLIENT)
    return True
