"""Revoke what was requested for an account before its owner changed it or took it back: a thief may have requested it."""

from uuid import UUID

from sqlalchemy import delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.auth.accounts import records
from services.auth.accounts.models import MailCode, MailRequest, OneTimeToken, TokenPurpose
from services.auth.mail.template_names import Template
from services.auth.mail.waiting import add_mail, mail_is_configured
from services.auth.models import Account


async def revoke_pending_requests(
    db: AsyncSession,
    account_id: UUID,
    *,
    keep_undo: bool = True,
    keep_deletion: bool = False,
    mail_to: str | None = None,
) -> None:
    """Revoke the tokens of earlier mails, the mails that auth's worker has not written yet, mail codes and a requested deletion.

    `keep_undo`: tokens that give the account an earlier address back stay valid. `keep_deletion`: the account is still deleted when its
    time comes. `mail_to`: the address that gets a mail if this cancels a requested deletion.

    The account is locked until the transaction ends. Its e-mail address must not be changed earlier in this transaction, because the
    worker's insert of a token would wait for that.
    """
    await records.lock(db, account_id)
    email = select(Account.email).where(Account.id == account_id).scalar_subquery()
    for table in (MailRequest, MailCode):
        await db.execute(delete(table).where(or_(table.account_id == account_id, table.email == email)))
    # The tokens are deleted after the requests: a worker that was answering one of them has committed its token by now.
    tokens = delete(OneTimeToken).where(OneTimeToken.account_id == account_id)
    if keep_undo:
        tokens = tokens.where(OneTimeToken.purpose != TokenPurpose.UNDO_EMAIL_CHANGE)
    await db.execute(tokens)
    if not keep_deletion:
        scheduled = (Account.id == account_id, Account.delete_at.is_not(None))
        cancelled = update(Account).where(*scheduled).values(delete_at=None).returning(Account.id)
        if (await db.execute(cancelled)).first() is not None and mail_to is not None and mail_is_configured():
            await add_mail(db, Template.DELETION_CANCELLED, mail_to, account_id=account_id)
