"""The e-mail address of an account."""

from kit.http.routing import Router
from kit.problem_responses import problem_responses
from services.auth.accounts import email_verification
from services.auth.accounts.schemas import EmailVerification
from services.auth.db import Transaction
from services.auth.errors import TokenNotValid

router = Router(prefix="/auth", tags=["e-mail address"])


@router.post(
    "/email/verify", summary="Verify an email address", status_code=204, responses=problem_responses(TokenNotValid)
)
async def verify_email(verification: EmailVerification, session: Transaction) -> None:
    """Send the token of a mail back, which proves that the address is yours. Access tokens that are issued afterwards say so."""
    await email_verification.verify(session, verification.token)
