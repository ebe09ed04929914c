"""Change a password, and set a new one with a token from a mail. No transaction is open while a password is hashed."""

from sqlalchemy import func, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.auth import Caller
from services.auth.accounts import one_time_tokens, records, recovery
from services.auth.accounts.hash_queue import Requester
from services.auth.accounts.mail_limits import may_notify
from services.auth.accounts.models import TokenPurpose
from services.auth.accounts.one_time_tokens import LIFETIMES
from services.auth.accounts.password_check import check_password
from services.auth.accounts.password_hashing import PasswordHasher
from services.auth.accounts.password_rules import check_not_easy
from services.auth.errors import TokenNotValid
from services.auth.mail.template_names import Template, in_words
from services.auth.mail.waiting import add_mail, mail_is_configured
from services.auth.models import Account
from services.auth.sessions.revocations import end_sessions_of_account
from services.auth.settings import settings
from services.auth.throttling import devices, failed_logins
from services.auth.throttling.login_attempts import remove_refusals_of_name
from services.auth.throttling.remembered_refusals import RememberedRefusals
from services.auth.throttling.request_source import RequestSource


async def change_password(
    db_sessions: async_sessionmaker[AsyncSession],
    hasher: PasswordHasher,
    source: RequestSource,
    caller: Caller,
    current: str,
    new: str,
    device_token: str | None = None,
) -> None:
    """Change the password of the caller's account, end its other sessions, forget its other devices, and revoke
    pending requests for it, except its deletion.

    Raises WrongPassword, PasswordTooEasy, AccountNeeded, NotAuthenticated, TooManyRequests, TooBusy.
    """
    async with db_sessions.begin() as db:
        account = await records.get_for_caller(db, caller)
    check_not_easy(new, account.address, account.name, settings.auth_shop_name)
    await check_password(db_sessions, hasher, source, account, current)
    async with hasher.slot(Requester.of_account(account.id, source.limit_address), source.disconnected):
        new_hash = await hasher.hash(new)
    async with db_sessions.begin() as db:
        locked = await records.lock_for_caller(db, caller, account.password_hash)
        locked.password_hash = new_hash
        await db.flush()
        await recovery.revoke_pending_requests(db, account.id, keep_deletion=True)
        await end_sessions_of_account(db, account.id, keep=caller.session_id)
        await devices.forget_all(db, account.id, keep=device_token)
        if await may_notify(db, locked):
            await _tell_owner(db, locked)


async def send_reset(db: AsyncSession, account: Account) -> None:
    """Send a mail with a token that sets a new password."""
    purpose = TokenPurpose.RESET_PASSWORD
    token = await one_time_tokens.issue(db, purpose, account.id, account.address)
    await add_mail(
        db,
        Template.RESET_PASSWORD,
        account.address,
        account_id=account.id,
        context={"valid": in_words(LIFETIMES[purpose])},
        secrets={"token": token},
    )


async def reset_password(
    db_sessions: async_sessionmaker[AsyncSession],
    hasher: PasswordHasher,
    refusals: RememberedRefusals,
    source: RequestSource,
    token: str,
    new: str,
) -> str:
    """Set a new password with a token from a mail, end all sessions, forget all known devices, and revoke pending requests for the
    account, also its deletion. The address counts as verified afterwards. Return a device token, with which failed logins of others do not
    delay the owner's next login.

    Raises TokenNotValid, PasswordTooEasy (the token can be used again then), TooBusy.
    """
    async with db_sessions.begin() as db:
        found = await one_time_tokens.find(db, token, TokenPurpose.RESET_PASSWORD)
        account = await db.get_one(Account, found.account_id)
    check_not_easy(new, account.address, account.name, settings.auth_shop_name)
    async with hasher.slot(Requester.of_account(account.id, source.limit_address), source.disconnected):
        new_hash = await hasher.hash(new)
    async with db_sessions.begin() as db:
        used = await one_time_tokens.use(db, token, TokenPurpose.RESET_PASSWORD)
        changed = await db.execute(
            update(Account)
            .where(Account.id == used.account_id, Account.email == used.email)
            .values(password_hash=new_hash, email_verified_at=func.coalesce(Account.email_verified_at, func.now()))
            .returning(Account.id)
        )
        if changed.first() is None:
            raise TokenNotValid  # the account has another address by now
        await recovery.revoke_pending_requests(db, used.account_id, mail_to=used.email)
        await end_sessions_of_account(db, used.account_id)
        await devices.forget_all(db, used.account_id)
        device_token = await devices.remember(db, used.account_id, None)
        await failed_logins.reset_failures(db, failed_logins.key_of_name(used.email))
        await _tell_owner(db, account)
    remove_refusals_of_name(refusals, used.email)
    return device_token


async def _tell_owner(db: AsyncSession, account: Account) -> None:
    """Send the owner a mail about the new password."""
    if mail_is_configured():
        await add_mail(db, Template.PASSWORD_CHANGED, account.address, account_id=account.id)
