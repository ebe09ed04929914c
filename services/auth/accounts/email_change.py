"""Change the e-mail address of an account. The new address is confirmed first. The owner of the old one can undo the change for a week."""

from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from kit.db.locks import for_no_key_update
from services.auth.accounts import one_time_tokens, recovery
from services.auth.accounts.events import publish_change
from services.auth.accounts.mail_limits import may_notify
from services.auth.accounts.models import OneTimeToken, TokenPurpose
from services.auth.accounts.one_time_tokens import LIFETIMES
from services.auth.accounts.records import is_reserved
from services.auth.errors import EmailTaken, TokenNotValid
from services.auth.mail.template_names import Template, in_words
from services.auth.mail.waiting import add_mail
from services.auth.models import Account
from services.auth.sessions.revocations import end_sessions_of_account
from services.auth.throttling import devices

UNUSABLE_PASSWORD = "!"  # noqa: S105 -- no password has this hash
"""The stored hash after `undo`: no password is valid, so the owner logs in with a mail code or resets the password by mail."""


async def send_change(db: AsyncSession, account_id: UUID, email: str, *, taken: bool) -> None:
    """Send a mail to the new address of an account. It contains a token, unless the address has an account already (`taken`)."""
    if taken:
        await add_mail(db, Template.EMAIL_TAKEN, email, account_id=None)
        return
    purpose = TokenPurpose.CHANGE_EMAIL
    token = await one_time_tokens.issue(db, purpose, account_id, email)
    valid = {"valid": in_words(LIFETIMES[purpose])}
    await add_mail(db, Template.CHANGE_EMAIL, email, account_id=account_id, context=valid, secrets={"token": token})


async def mail_old_address(db: AsyncSession, account: Account) -> None:
    """Send a mail to the address of an account: a new address was entered. The owner can cancel the change by setting a new password.

    The caller has locked the account.
    """
    if await may_notify(db, account):
        await add_mail(db, Template.EMAIL_CHANGE_REQUESTED, account.address, account_id=account.id)


async def change(db: AsyncSession, used: OneTimeToken) -> None:
    """Give an account the address of a token that was used, and send a mail to both addresses. Raises EmailTaken."""
    account = await _locked(db, used.account_id)
    old = account.address
    await recovery.revoke_pending_requests(db, account.id, keep_deletion=True)
    await _set_email(db, account.id, used.email)
    if await is_reserved(db, used.email):
        raise EmailTaken
    purpose = TokenPurpose.UNDO_EMAIL_CHANGE
    token = await one_time_tokens.issue(db, purpose, account.id, old)
    valid = {"valid": in_words(LIFETIMES[purpose])}
    await add_mail(db, Template.EMAIL_CHANGED, old, account_id=account.id, context=valid, secrets={"token": token})
    await add_mail(db, Template.EMAIL_CONFIRMED, used.email, account_id=account.id)
    await publish_change(db, account.id)


async def undo(db: AsyncSession, token: str) -> Account:
    """Give an account its earlier address back. Its sessions end, its devices are forgotten, and its password is not valid any more:
    another person may know it.

    Tokens that undo later changes are revoked: the person who made those changes does not get the account back. Pending
    requests for the account are revoked, also its deletion. Return the account. Raises TokenNotValid, EmailTaken.
    """
    used = await one_time_tokens.use(db, token, TokenPurpose.UNDO_EMAIL_CHANGE)
    account = await _locked(db, used.account_id)
    later = (OneTimeToken.account_id == account.id, OneTimeToken.created_at >= used.created_at)
    await db.execute(delete(OneTimeToken).where(*later, OneTimeToken.purpose == TokenPurpose.UNDO_EMAIL_CHANGE))
    await recovery.revoke_pending_requests(db, account.id, mail_to=used.email)
    await db.execute(update(Account).where(Account.id == account.id).values(password_hash=UNUSABLE_PASSWORD))
    await _set_email(db, account.id, used.email)
    await end_sessions_of_account(db, account.id)
    await devices.forget_all(db, account.id)
    await publish_change(db, account.id)
    await db.refresh(account)
    return account


async def _locked(db: AsyncSession, account_id: UUID) -> Account:
    account: Account | None = await db.scalar(for_no_key_update(select(Account).where(Account.id == account_id)))
    if account is None:
        raise TokenNotValid
    return account


async def _set_email(db: AsyncSession, account_id: UUID, email: str) -> None:
    """Change the address and record that it is verified, because its owner sent the token back. Raises EmailTaken."""
    changed = update(Account).where(Account.id == account_id).values(email=email, email_verified_at=func.now())
    try:
        async with db.begin_nested():
            await db.execute(changed)
    except IntegrityError as error:
        raise EmailTaken from error
