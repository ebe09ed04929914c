"""The e-mail address of an account."""

from kit.http.routing import Router
from kit.problem_responses import problem_responses
from services.auth.accounts import email_verification
from services.auth.accounts.mail_requests import request_mail
from services.auth.accounts.models import RequestKind
from services.auth.accounts.schemas import EmailVerification, MailAddress
from services.auth.db import Transaction
from services.auth.errors import MailNotConfigured, TokenNotValid, TooManyMails
from services.auth.throttling import address_limits
from services.auth.throttling.address_buckets import FAILED_LOGINS
from services.auth.throttling.remembered_refusals import CurrentRefusals
from services.auth.throttling.request_source import CurrentRequestSource

router = Router(prefix="/auth", tags=["e-mail address"])


@router.post(
    "/email/verify", summary="Verify an email address", status_code=204, responses=problem_responses(TokenNotValid)
)
async def verify_email(verification: EmailVerification, session: Transaction) -> None:
    """Send the token of a mail back, which proves that the address is yours. Access tokens that are issued afterwards say so."""
    await email_verification.verify(session, verification.token)


@router.post(
    "/email/verification-mail",
    summary="Request another verification mail",
    status_code=202,
    responses=problem_responses(MailNotConfigured, TooManyMails),
)
async def request_verification_mail(
    request: MailAddress, session: Transaction, source: CurrentRequestSource, refusals: CurrentRefusals
) -> None:
    """Send another mail to verify the address, if it has an account and is not verified. The answer is the same for every address."""
    await address_limits.count(session, refusals, FAILED_LOGINS, source.address)
    await request_mail(session, RequestKind.VERIFY_EMAIL, request.email)
