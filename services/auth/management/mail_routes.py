"""Operators look at the mails of an account, and send one again. All calls require the scope `accounts:manage`."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path

from kit.auth import Caller
from kit.http.routing import Router
from kit.problem_responses import problem_responses
from services.auth.db import DatabaseTransaction, Reading
from services.auth.errors import (
    AccountNotFound,
    MailNotConfigured,
    MailNotFound,
    MailNotResendable,
    ScopesNotHeld,
    TooManyMails,
)
from services.auth.management import mails
from services.auth.management.callers import AccountId, CurrentOperator, may_manage
from services.auth.management.schemas import AccountMails, ManagedMailView

router = Router(prefix="/auth/users/{account_id}/mails", tags=["account management"])


@router.get("", summary="List the mails of an account", responses=problem_responses(AccountNotFound))
async def list_account_mails(
    _: Annotated[Caller, Depends(may_manage)], db: Reading, account_id: AccountId
) -> AccountMails:
    """Return the last 100 mails to the owner of an account, newest first, without their texts. Requires the scope `accounts:manage`."""
    found = await mails.list_newest(db, account_id)
    return AccountMails(items=[ManagedMailView.model_validate(mail) for mail in found])


@router.post(
    "/{mail_id}/resend",
    summary="Resend a mail to the owner of an account",
    responses=problem_responses(
        AccountNotFound, ScopesNotHeld, MailNotFound, MailNotResendable, MailNotConfigured, TooManyMails
    ),
)
async def resend_account_mail(
    operator: CurrentOperator,
    db: DatabaseTransaction,
    account_id: AccountId,
    mail_id: Annotated[UUID, Path(description="Id of the mail")],
) -> ManagedMailView:
    """Send a mail to the owner now. Requires the scope `accounts:manage`.

    A mail with a code or token can be sent again only while it is `waiting`: afterwards its code or token is deleted. Request a new mail
    with POST /auth/email/verification-mail or POST /auth/password/forgot. At most five mails of an account can be sent in this way at once,
    and then one every ten minutes.
    """
    return ManagedMailView.model_validate(await mails.resend(db, operator, account_id, mail_id))
