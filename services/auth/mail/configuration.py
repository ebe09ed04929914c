"""Create the sender of mail from the settings."""

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from services.auth.mail.messages import Messages, TemplateUnusable
from services.auth.mail.sender import Sender
from services.auth.mail.smtp import SmtpClient
from services.auth.mailboxes import parse_mailbox
from services.auth.settings import AuthSettings
from services.auth.smtp_url import parse_smtp_url


def mail_sender(db_sessions: async_sessionmaker[AsyncSession], settings: AuthSettings) -> Sender | None:
    """Return the sender, or None without AUTH_SMTP_URL. Exits if a template of AUTH_MAIL_TEMPLATES cannot be used."""
    if settings.auth_smtp_url is None or settings.auth_mail_from is None:
        return None
    mailbox = parse_mailbox(settings.auth_mail_from)
    messages = Messages(mailbox, settings.auth_shop_name, settings.auth_shop_url, settings.auth_mail_templates)
    try:
        messages.check()
    except TemplateUnusable as error:
        raise SystemExit(f"cannot start: AUTH_MAIL_TEMPLATES: {error}") from error
    password = settings.auth_smtp_password
    client = SmtpClient(
        parse_smtp_url(settings.auth_smtp_url),
        client_name=mailbox.domain,
        user=settings.auth_smtp_user,
        password=None if password is None else password.get_secret_value(),
    )
    return Sender(db_sessions, client, messages)
