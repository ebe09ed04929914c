"""The URL of the mail server."""

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit


class Encryption(StrEnum):
    TLS = "smtps"
    """From the first byte (RFC 8314 section 3.3)."""

    STARTTLS = "smtp"
    """After the command STARTTLS (RFC 3207), without which nothing is sent."""

    NONE = "smtp+plain"
    """For a mail catcher, or a mail server on the same machine."""


DEFAULT_PORTS = {Encryption.TLS: 465, Encryption.STARTTLS: 587, Encryption.NONE: 25}


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where mail is sent, and how the connection is encrypted."""

    host: str
    port: int
    encryption: Encryption


def parse_smtp_url(url: str) -> SmtpServer:
    """Return the server of a URL such as smtps://mail.example:465. Raises ValueError, whose message contains no part of the URL."""
    try:
        parts = urlsplit(url)
        encryption, host, port = Encryption(parts.scheme), parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(
            "must be smtp://host:587 (STARTTLS), smtps://host:465 (TLS) or smtp+plain://host:25 (no encryption)"
        )
    if "@" in parts.netloc:
        raise ValueError("must not contain a user or a password: set AUTH_SMTP_USER and AUTH_SMTP_PASSWORD")
    return SmtpServer(host, port or DEFAULT_PORTS[encryption], encryption)


def check_smtp_url(url: str) -> str:
    """Return the URL unchanged. Raises ValueError if it is not the URL of a mail server."""
    parse_smtp_url(url)
    return url
