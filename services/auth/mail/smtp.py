"""Connections to the mail server."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage

import aiosmtplib
from aiosmtplib import SMTPException, SMTPNotSupported, SMTPRecipientsRefused, SMTPResponseException, SMTPSenderRefused

from services.auth.smtp_url import Encryption, SmtpServer

STEP_SECONDS = 15.0
"""The time limit of each command. RFC 5321 section 4.5.3.2 allows servers minutes, but all other mails wait meanwhile."""

MAIL_SECONDS = 30.0
"""The time limit of one mail, and of opening a connection with its encryption and authentication."""

SERVICE_NOT_AVAILABLE = 421
"""The server closes the connection (RFC 5321 section 3.8)."""

FIRST_PERMANENT_CODE = 500
"""Reply codes from this one on are permanent (RFC 5321 section 4.2.1)."""


class ServerUnavailable(Exception):
    """No mail can be sent now: the server cannot be reached, or refuses us. The message is the reason."""


class MailRejected(Exception):
    """The server has rejected one mail; others may be accepted. `permanent`: it has refused the recipient for good."""

    def __init__(self, reason: str, *, permanent: bool) -> None:
        self.permanent = permanent
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class SmtpClient:
    """Sends mail through one server. `client_name` is the name in EHLO."""

    server: SmtpServer
    client_name: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None
    """None: the certificates of the machine."""
    step_seconds: float = STEP_SECONDS
    mail_seconds: float = MAIL_SECONDS

    @asynccontextmanager
    async def connected(self) -> AsyncIterator["SmtpConnection"]:
        """Hold a connection that is encrypted and authenticated as configured. Raises ServerUnavailable."""
        smtp = aiosmtplib.SMTP(
            hostname=self.server.host,
            port=self.server.port,
            username=self.user,
            password=self.password,
            local_hostname=self.client_name,
            timeout=self.step_seconds,
            use_tls=self.server.encryption is Encryption.TLS,
            start_tls=self.server.encryption is Encryption.STARTTLS,
            tls_context=self.tls,
        )
        try:
            try:
                async with asyncio.timeout(self.mail_seconds):
                    await smtp.connect()
            except (SMTPException, OSError, ValueError) as error:
                raise ServerUnavailable(reason_of(error)) from error
            yield SmtpConnection(smtp, self.mail_seconds)
            try:
                async with asyncio.timeout(self.step_seconds):
                    await smtp.quit()
            except (SMTPException, OSError):
                pass  # the mails are accepted already
        finally:
            smtp.close()


class SmtpConnection:
    """An open connection, which can send any number of mails, one after another."""

    def __init__(self, smtp: aiosmtplib.SMTP, mail_seconds: float) -> None:
        self._smtp = smtp
        self._mail_seconds = mail_seconds

    async def send(self, message: EmailMessage) -> None:
        """Send a mail, and return when the server has accepted it. Raises MailRejected, ServerUnavailable."""
        try:
            async with asyncio.timeout(self._mail_seconds):
                await self._smtp.send_message(message)
        except SMTPRecipientsRefused as error:
            (refused,) = error.recipients
            raise _rejected(refused, permanent=refused.code >= FIRST_PERMANENT_CODE) from error
        except SMTPSenderRefused as error:
            raise ServerUnavailable(reason_of(error)) from error
        except SMTPResponseException as error:
            raise _rejected(error, permanent=False) from error
        except (SMTPNotSupported, ValueError) as error:  # the server cannot send to this address
            raise MailRejected(reason_of(error), permanent=True) from error
        except (SMTPException, OSError) as error:
            raise ServerUnavailable(reason_of(error)) from error


def _rejected(error: SMTPResponseException, *, permanent: bool) -> Exception:
    if error.code == SERVICE_NOT_AVAILABLE or error.code < 0:
        return ServerUnavailable(reason_of(error))
    return MailRejected(reason_of(error), permanent=permanent)


def reason_of(error: BaseException) -> str:
    """Return the reason of a failure in one line: the reply of the server if there is one."""
    if isinstance(error, SMTPResponseException):
        text = f"{error.code} {error.message}"
    else:
        text = str(error) or ("no response in time" if isinstance(error, TimeoutError) else type(error).__name__)
    return "".join(c if c.isprintable() else " " for c in text)[:200]
