"""The password of an account."""

from typing import Annotated

from fastapi import Cookie, Depends, Response

from kit.auth import Caller, authenticate
from kit.http.routing import Router
from kit.problem_responses import problem_responses
from services.auth.accounts import passwords
from services.auth.accounts.mail_requests import request_mail
from services.auth.accounts.models import RequestKind
from services.auth.accounts.password_hashing import CurrentPasswordHasher
from services.auth.accounts.schemas import MailAddress, PasswordChange, PasswordReset
from services.auth.db import DatabaseTransaction, db_sessions
from services.auth.errors import (
    AccountNeeded,
    MailNotConfigured,
    PasswordTooEasy,
    TokenNotValid,
    TooBusy,
    TooManyMails,
    WrongPassword,
)
from services.auth.throttling import address_limits, devices
from services.auth.throttling.address_buckets import FAILED_LOGINS_AND_MAIL_REQUESTS
from services.auth.throttling.devices import DEVICE_COOKIE
from services.auth.throttling.remembered_refusals import CurrentRefusals
from services.auth.throttling.request_source import CurrentRequestSource

router = Router(prefix="/auth", tags=["passwords"])


@router.post(
    "/me/password",
    summary="Change your password",
    status_code=204,
    responses=problem_responses(AccountNeeded, WrongPassword, PasswordTooEasy, TooBusy),
)
async def change_password(
    change: PasswordChange,
    caller: Annotated[Caller, Depends(authenticate)],
    hasher: CurrentPasswordHasher,
    source: CurrentRequestSource,
    device_cookie: Annotated[
        str | None, Cookie(alias=DEVICE_COOKIE, description="The same as `device_token` in the body")
    ] = None,
) -> None:
    """Change the password of your account. All sessions but the one of this access token end, and other device tokens become invalid.

    After five wrong `current_password`, further requests are refused during a pause.
    """
    device = change.device_token or device_cookie
    await passwords.change_password(
        db_sessions, hasher, source, caller, change.current_password, change.new_password, device
    )


@router.post(
    "/password/forgot",
    summary="Request a mail because you forgot your password",
    status_code=202,
    responses=problem_responses(MailNotConfigured, TooManyMails),
)
async def forgot_password(
    request: MailAddress, db: DatabaseTransaction, source: CurrentRequestSource, refusals: CurrentRefusals
) -> None:
    """Send a mail with a token for POST /auth/password/reset, if the address has an account. The answer is the same for every address."""
    await address_limits.count(db, refusals, FAILED_LOGINS_AND_MAIL_REQUESTS, source.limit_address)
    await request_mail(db, RequestKind.RESET_PASSWORD, request.email)


@router.post(
    "/password/reset",
    summary="Reset your password",
    status_code=204,
    responses=problem_responses(TokenNotValid, PasswordTooEasy, TooBusy),
)
async def reset_password(
    response: Response,
    reset: PasswordReset,
    hasher: CurrentPasswordHasher,
    source: CurrentRequestSource,
    refusals: CurrentRefusals,
) -> None:
    """Set a new password with the token of a mail, which is valid for 15 minutes. All sessions of the account end.

    This device is known afterwards, by the cookie `device_token`: failed logins on other devices do not delay the login with the new
    password.
    """
    device_token = await passwords.reset_password(db_sessions, hasher, refusals, source, reset.token, reset.password)
    devices.set_cookie(response, device_token)
