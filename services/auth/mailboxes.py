"""The sender of mail: a display name and an address (RFC 5322 section 3.4)."""

from email.headerregistry import Address
from email.utils import parseaddr

from kit.email_addresses import ascii_email
from services.auth.email_addresses import normalize_email


def parse_mailbox(mailbox: str) -> Address:
    """Return the display name and the address of `Kwik Mart <no-reply@shop.example>`. Raises ValueError."""
    name, address = parseaddr(mailbox)
    if not name.isprintable():
        raise ValueError("must not contain control characters")
    return Address(display_name=name, addr_spec=ascii_email(normalize_email(address)))


def check_mailbox(mailbox: str) -> str:
    """Return the mailbox unchanged. Raises ValueError if mail cannot be sent from it."""
    try:
        sender = parse_mailbox(mailbox)
    except ValueError:
        sender = None
    if sender is None or not sender.addr_spec.isascii():
        raise ValueError("must be an address, or a name and an address, such as Kwik Mart <no-reply@shop.example>")
    return mailbox
