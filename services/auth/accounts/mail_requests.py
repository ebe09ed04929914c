"""Requests for a mail to an address that may have no account.

The web process only stores the request: the same statements for every address, so neither the answer nor its time shows whether there is
an account. auth's worker looks for the account, and writes the mail if there is one.
"""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.worker.shutdown import Shutdown
from services.auth.accounts import mail_codes, registrations
from services.auth.accounts.email_change import send_change
from services.auth.accounts.email_verification import send_verification
from services.auth.accounts.mail_limits import MailKind, count_mail
from services.auth.accounts.models import MailRequest, RequestKind
from services.auth.accounts.passwords import send_reset
from services.auth.accounts.records import find_by_email, is_reserved
from services.auth.mail.waiting import require_mail

BATCH_SIZE = 100
POLL_SECONDS = 1.0
RETENTION = timedelta(days=1)


async def request_mail(db: AsyncSession, kind: RequestKind, email: str, account_id: UUID | None = None) -> None:
    """Ask the worker for a mail to this address. Raises MailNotConfigured, TooManyMails."""
    require_mail()
    await count_mail(db, MailKind(kind), email)
    await db.execute(insert(MailRequest).values(kind=kind, email=email, account_id=account_id))


async def answer_requests(db: AsyncSession) -> int:
    """Write the mails of up to BATCH_SIZE requests. Return the number of requests. Those that another worker answers are skipped."""
    waiting = select(MailRequest.id).order_by(MailRequest.id).limit(BATCH_SIZE)
    taken = waiting.with_for_update(skip_locked=True).cte("taken")
    deleted = await db.execute(
        delete(MailRequest)
        .where(MailRequest.id.in_(select(taken)))
        .returning(MailRequest.kind, MailRequest.email, MailRequest.account_id)
    )
    requests = deleted.all()
    for kind, email, account_id in requests:
        await _answer(db, kind, email, account_id)
    return len(requests)


async def _answer(db: AsyncSession, kind: RequestKind, email: str, account_id: UUID | None) -> None:
    account = await find_by_email(db, email)
    if account_id is not None:
        await send_change(db, account_id, email, taken=account is not None or await is_reserved(db, email))
    elif account is not None and kind is RequestKind.RESET_PASSWORD:
        await send_reset(db, account)
    elif account is not None and not account.email_verified:
        await send_verification(db, account)


async def delete_old(db: AsyncSession, limit: int) -> int:
    """Delete up to `limit` requests that nobody has answered for a day, because AUTH_SMTP_URL is not set any more. Return the number."""
    old = select(MailRequest.id).where(MailRequest.created_at < func.now() - RETENTION).limit(limit)
    locked = old.with_for_update(skip_locked=True).cte("locked")
    deleted = await db.execute(delete(MailRequest).where(MailRequest.id.in_(select(locked))).returning(MailRequest.id))
    return len(deleted.all())


class RequestAnswerer:
    """The background job that answers requests for mails."""

    def __init__(self, db_sessions: async_sessionmaker[AsyncSession]) -> None:
        self._db_sessions = db_sessions

    async def run(self, shutdown: Shutdown) -> None:
        """Answer requests until shutdown is requested."""
        while not shutdown.requested:
            async with self._db_sessions.begin() as db:
                answered = await answer_requests(db)
            async with self._db_sessions.begin() as db:
                codes = await mail_codes.answer_requests(db, BATCH_SIZE)
            async with self._db_sessions.begin() as db:
                new = await registrations.answer_requests(db, BATCH_SIZE)
            if max(answered, codes, new) < BATCH_SIZE:
                await shutdown.wait(POLL_SECONDS)
