"""The mails that the mail catcher has got."""

import itertools
from collections import deque
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from dev.mail_catcher.smtp_server import Envelope

MAX_MAILS = 1000


@dataclass(frozen=True)
class CaughtMail:
    """A mail, decoded. `text` and `html` are empty if it has no such part."""

    id: int
    received_at: str
    sender: str
    recipients: list[str]
    subject: str
    message_id: str
    text: str
    html: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Inbox:
    """The latest MAX_MAILS mails, in memory."""

    def __init__(self) -> None:
        self._mails: deque[CaughtMail] = deque(maxlen=MAX_MAILS)
        self._ids = itertools.count(1)

    async def deliver(self, envelope: Envelope) -> None:
        """Add a mail."""
        self._mails.appendleft(parse(next(self._ids), envelope))

    def mails(self, recipient: str | None = None) -> list[CaughtMail]:
        """Return the mails, newest first: all, or those to one address."""
        return [
            mail for mail in self._mails if recipient is None or recipient.lower() in map(str.lower, mail.recipients)
        ]

    def get(self, mail_id: int) -> CaughtMail | None:
        """Return a mail, or None if there is none."""
        return next((mail for mail in self._mails if mail.id == mail_id), None)


def parse(mail_id: int, envelope: Envelope) -> CaughtMail:
    """Decode a mail."""
    message: EmailMessage = message_from_bytes(envelope.content, policy=default)
    return CaughtMail(
        id=mail_id,
        received_at=datetime.now(UTC).isoformat(timespec="seconds"),
        sender=envelope.sender,
        recipients=envelope.recipients,
        subject=str(message["Subject"] or ""),
        message_id=str(message["Message-ID"] or ""),
        text=_part(message, "plain"),
        html=_part(message, "html"),
    )


def _part(message: EmailMessage, kind: str) -> str:
    part = message.get_body(preferencelist=(kind,))
    if part is None:
        return ""
    try:
        return str(part.get_content())
    except LookupError:  # the mail names a character set that Python does not know
        content = part.get_payload(decode=True)
        return content.decode("utf-8", "replace") if isinstance(content, bytes) else ""
