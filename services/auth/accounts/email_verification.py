"""Prove that an e-mail address belongs to the owner of its account: they send back a token from a mail."""

from sqlalchemy import func, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.auth.accounts import one_time_tokens, registrations
from services.auth.accounts.email_change import change
from services.auth.accounts.models import TokenPurpose
from services.auth.accounts.one_time_tokens import LIFETIMES
from services.auth.errors import TokenNotValid
from services.auth.mail.template_names import Template, in_words
from services.auth.mail.waiting import add_mail
from services.auth.models import Account


async def send_verification(db: AsyncSession, account: Account) -> None:
    """Send a mail with a token to the address of an account."""
    purpose = TokenPurpose.VERIFY_EMAIL
    token = await one_time_tokens.issue(db, purpose, account.id, account.address)
    valid = in_words(LIFETIMES[purpose])
    await add_mail(
        db,
        Template.VERIFY_EMAIL,
        account.address,
        account_id=account.id,
        context={"valid": valid},
        secrets={"token": token},
    )


async def verify(db: AsyncSession, token: str) -> None:
    """Use a token from a mail: verify its address, make it the new address of its account, or create the account that was registered.

    Raises TokenNotValid, also if the account has another address by now; EmailTaken if the new address has an account by now.
    """
    try:
        used = await one_time_tokens.use(db, token, TokenPurpose.VERIFY_EMAIL, TokenPurpose.CHANGE_EMAIL)
    except TokenNotValid:
        await registrations.confirm(db, token)
        return
    if used.purpose is TokenPurpose.CHANGE_EMAIL:
        await change(db, used)
        return
    same_address = (Account.id == used.account_id, Account.email == used.email)
    verified = await db.execute(
        update(Account)
        .where(*same_address)
        .values(email_verified_at=func.coalesce(Account.email_verified_at, func.now()))
        .returning(Account.id)
    )
    if verified.first() is None:
        raise TokenNotValid
    await one_time_tokens.revoke(db, used.account_id, TokenPurpose.VERIFY_EMAIL)
