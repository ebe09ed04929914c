"""Everything that auth stores about an account, for its owner."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.auth.accounts.schemas import AccountExport, ExportedMail, ExportedSession
from services.auth.mail.models import Mail
from services.auth.models import Account
from services.auth.sessions.models import LoginSession

LIMIT = 1000


async def export_account(db: AsyncSession, account: Account) -> AccountExport:
    """Return the account with its sessions and mails, the newest first, at most LIMIT each. No hash and no token is in it."""
    sessions = select(LoginSession).where(LoginSession.account_id == account.id)
    mails = select(Mail).where(Mail.account_id == account.id)
    return AccountExport(
        id=account.id,
        email=account.email,
        email_verified_at=account.email_verified_at,
        name=account.name,
        role=account.role,
        created_at=account.created_at,
        delete_at=account.delete_at,
        sessions=[
            ExportedSession.model_validate(each)
            for each in await db.scalars(sessions.order_by(LoginSession.created_at.desc()).limit(LIMIT))
        ],
        mails=[
            ExportedMail.model_validate(each)
            for each in await db.scalars(mails.order_by(Mail.created_at.desc()).limit(LIMIT))
        ],
    )
