"""Check the passwords of new accounts."""

import re
import unicodedata
from functools import cache
from pathlib import Path

from services.auth.errors import PasswordTooEasy

MIN_CHARACTERS = 8
MAX_CHARACTERS = 128
MAX_BYTES = 1024
CONTROL_CHARACTER = re.compile("[\x00-\x1f\x7f]")


def normalize(password: str) -> str:
    """Return the password in NFC: keyboards compose accented letters differently (NIST SP 800-63B-4 section 3.1.1.2)."""
    return unicodedata.normalize("NFC", password)


def check_characters(password: str) -> str:
    """Return the password unchanged. Raises ValueError if it has a control character or is longer than MAX_BYTES."""
    if CONTROL_CHARACTER.search(password):
        raise ValueError("must not contain control characters")
    if len(password.encode()) > MAX_BYTES:
        raise ValueError(f"must not be longer than {MAX_BYTES} bytes")
    return password


def check_not_easy(password: str, email: str) -> None:
    """Raise PasswordTooEasy for passwords that are easy to guess (NIST SP 800-63B-4 section 3.1.1.2).

    These are the most common passwords, the account's email address or the part of it before the @, and passwords with fewer than three
    different characters.
    """
    lower = password.strip().lower()
    if lower in common_passwords() or lower in {email, email.partition("@")[0]} or len(set(lower)) < 3:
        raise PasswordTooEasy


@cache
def common_passwords() -> frozenset[str]:
    """Return the most common passwords, in lower case."""
    return frozenset((Path(__file__).parent / "common_passwords.txt").read_text().split())
