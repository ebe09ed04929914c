"""Delete accounts for good. The request of the customer and its grace period are in deletion_requests.py."""

from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from kit.db.locks import for_no_key_update
from services.auth.accounts import events, recovery
from services.auth.mail.models import Mail
from services.auth.models import Account
from services.auth.sessions.revocations import end_sessions_of_account
from services.auth.throttling import failed_logins


async def delete_account(db: AsyncSession, account_id: UUID) -> bool:
    """Delete an account now: its row, its sessions and everything else that refers to it. Return False if it does not exist.

    account.deleted tells the other services to erase name and e-mail address. Audit entries keep the id of the account. The e-mail address
    can be registered again.
    """
    # FOR NO KEY UPDATE: auth's worker may be answering a request for this account, and can still insert a token that refers to it. With
    # FOR UPDATE, the worker would wait for this transaction, and `revoke_pending_requests` for the worker: a deadlock.
    locked = for_no_key_update(select(Account.email).where(Account.id == account_id))
    account = (await db.execute(locked)).one_or_none()
    if account is None:
        return False
    await recovery.revoke_pending_requests(db, account_id, keep_undo=False, keep_deletion=True)
    await end_sessions_of_account(db, account_id)
    if account.email is not None:
        await failed_logins.forget(db, failed_logins.key_of_name(account.email))
        await db.execute(delete(Mail).where(Mail.recipient == account.email))
    await db.execute(delete(Account).where(Account.id == account_id))
    await events.end(db, account_id, merged_into=None)
    return True
