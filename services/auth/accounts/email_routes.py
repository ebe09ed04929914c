"""The e-mail address of an account."""

from typing import Annotated

from fastapi import Depends

from kit.auth import Caller, authenticate
from kit.http.routing import Router
from kit.problem_responses import problem_responses
from services.auth.accounts import email_change, email_verification, mail_codes, records
from services.auth.accounts.mail_limits import count_change
from services.auth.accounts.mail_requests import request_mail
from services.auth.accounts.models import RequestKind
from services.auth.accounts.password_check import check_password
from services.auth.accounts.password_hashing import CurrentPasswordHasher
from services.auth.accounts.passwords import send_reset
from services.auth.accounts.schemas import EmailChange, EmailVerification, MailAddress, MailCodeChallenge
from services.auth.db import DatabaseTransaction, db_sessions
from services.auth.errors import (
    AccountNeeded,
    EmailTaken,
    EmailUnchanged,
    MailNotConfigured,
    TokenNotValid,
    TooBusy,
    TooManyMails,
    WrongPassword,
)
from services.auth.mail.waiting import require_mail
from services.auth.throttling import address_limits
from services.auth.throttling.address_buckets import FAILED_LOGINS_AND_MAIL_REQUESTS
from services.auth.throttling.remembered_refusals import CurrentRefusals
from services.auth.throttling.request_source import CurrentRequestSource

router = Router(prefix="/auth", tags=["e-mail address"])


@router.post(
    "/email/verify",
    summary="Verify an e-mail address",
    status_code=204,
    responses=problem_responses(TokenNotValid, EmailTaken),
)
async def verify_email(verification: EmailVerification, db: DatabaseTransaction) -> None:
    """Send the token of a mail back, which proves that the address is yours. Later access tokens have the claim `email_verified` true.

    After POST /auth/me/email, this makes the new address the address of the account.
    """
    await email_verification.verify(db, verification.token)


@router.post(
    "/email/verification-mail",
    summary="Request another verification mail",
    status_code=202,
    responses=problem_responses(MailNotConfigured, TooManyMails),
)
async def request_verification_mail(
    request: MailAddress, db: DatabaseTransaction, source: CurrentRequestSource, refusals: CurrentRefusals
) -> None:
    """Send another mail to verify the address, if it has an account and is not verified. The answer is the same for every address."""
    await address_limits.count(db, refusals, FAILED_LOGINS_AND_MAIL_REQUESTS, source.limit_address)
    await request_mail(db, RequestKind.VERIFY_EMAIL, request.email)


@router.post(
    "/email/code",
    summary="Request a code by e-mail to log in",
    status_code=202,
    responses=problem_responses(MailNotConfigured, TooManyMails),
)
async def request_email_code(
    request: MailAddress, db: DatabaseTransaction, source: CurrentRequestSource, refusals: CurrentRefusals
) -> MailCodeChallenge:
    """Send a mail with a code of six digits, if the address has a customer's account. The answer is the same for every address.

    Log in with POST /auth/token: grant_type=urn:shop:grant-type:mail-code, the `challenge` of this answer and the `code` of the mail. It is
    valid for 10 minutes and 5 attempts.
    """
    await address_limits.count(db, refusals, FAILED_LOGINS_AND_MAIL_REQUESTS, source.limit_address)
    challenge = await mail_codes.request_code(db, request.email)
    return MailCodeChallenge(challenge=challenge, expires_in=int(mail_codes.LIFETIME.total_seconds()))


@router.post(
    "/me/email",
    summary="Change your e-mail address",
    status_code=202,
    responses=problem_responses(AccountNeeded, WrongPassword, EmailUnchanged, MailNotConfigured, TooManyMails, TooBusy),
)
async def change_email(
    change: EmailChange,
    caller: Annotated[Caller, Depends(authenticate)],
    hasher: CurrentPasswordHasher,
    source: CurrentRequestSource,
) -> None:
    """Send a mail with a token to the new address, and a notice to the old one. POST /auth/email/verify with this token changes the
    address.

    The old address then gets another mail, whose token is valid for 7 days and gives the account this address back
    (POST /auth/email/undo). If the new address has an account already, it gets a mail that says so; the answer is the same.
    """
    require_mail()
    async with db_sessions.begin() as db:
        account = await records.get_for_caller(db, caller)
    if change.email == account.address:
        raise EmailUnchanged
    await check_password(db_sessions, hasher, source, account, change.password)
    async with db_sessions.begin() as db:
        locked = await records.lock_for_caller(db, caller, account.password_hash)
        await count_change(db, account.id)
        await request_mail(db, RequestKind.CHANGE_EMAIL, change.email, account.id)
        await email_change.mail_old_address(db, locked)


@router.post(
    "/email/undo",
    summary="Undo a change of your e-mail address",
    status_code=204,
    responses=problem_responses(TokenNotValid, EmailTaken),
)
async def undo_email_change(undo: EmailVerification, db: DatabaseTransaction) -> None:
    """Give an account its earlier address back, with the token of the mail to this address.

    All sessions end and the password is not valid any more. The same address gets another mail, with a token for POST /auth/password/reset.
    """
    await send_reset(db, await email_change.undo(db, undo.token))
