"""Write a mail. It is part of the transaction that causes it, so it is sent if and only if that transaction is committed."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.auth.errors import MailNotConfigured
from services.auth.mail.models import Mail
from services.auth.mail.template_names import TEMPLATES, Template
from services.auth.settings import settings


def mail_is_configured() -> bool:
    """Return whether mail can be sent: AUTH_SMTP_URL is set."""
    return settings.auth_smtp_url is not None


def require_mail() -> None:
    """Raise MailNotConfigured if no mail can be sent."""
    if not mail_is_configured():
        raise MailNotConfigured


async def add_mail(
    db: AsyncSession,
    template: Template,
    recipient: str,
    *,
    account_id: UUID | None,
    context: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
) -> None:
    """Add a mail that auth's worker sends after the commit.

    `context` and `secrets` are the values that the template has according to TEMPLATES. Secrets are deleted when the mail was sent, or is
    given up. No value may come from a person whose address is not verified: that would let strangers send their text to any address.
    """
    values = TEMPLATES[template]
    assert set(context or {}) == set(values.context)  # noqa: S101 -- a mistake in our code
    assert set(secrets or {}) == set(values.secrets)  # noqa: S101
    await db.execute(
        insert(Mail).values(
            template=template,
            recipient=recipient,
            account_id=account_id,
            context=dict(context or {}),
            secrets=dict(secrets) if secrets else None,
        )
    )
