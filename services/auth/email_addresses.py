"""Normalize e-mail addresses, so that different spellings of an address belong to the same account.

Mail is sent to the normalized address, never to what a person typed: the owner of another spelling must not get the mails of an account.
"""

import re
import unicodedata
from typing import Annotated

import email_validator
from pydantic import AfterValidator, Field

MAX_LENGTH = 320
LABEL_SEPARATORS = re.compile("[.\u3002\uff0e\uff61]")
"""The characters that IDNA reads as a dot (UTS #46 section 4)."""

SIGMA_AT_THE_END_OF_A_WORD = re.compile(r"(?<=[^\W\d_])σ(?![^\W\d_])")


def normalize_email(address: str) -> str:
    """Return the address in lower case and NFC, with its domain in Unicode, also if that was sent as A-labels. Sends no DNS query.

    Raises ValueError if it is not an e-mail address. Reserved top-level domains (`admin@shop.local`) are accepted, because companies use
    them for internal mail.
    """
    address = address.strip()
    top_level = _special_use_top_level(address)
    # email_validator refuses reserved top-level domains. So each character of such a domain is replaced by the letter x for the check.
    checked = address if top_level is None else address[: -len(top_level)] + "x" * len(top_level)
    try:
        found = email_validator.validate_email(checked, check_deliverability=False)
    except email_validator.EmailNotValidError as error:
        raise ValueError("must be an e-mail address") from error
    normalized = found.normalized
    if top_level is not None:
        normalized = normalized[: -len(top_level)] + _normalize_label(top_level)
    local, _, domain = normalized.rpartition("@")
    # The domain is mapped by UTS #46 already. It keeps both lower-case sigmas, and capital letters of Cherokee.
    return f"{_lower_case(local)}@{domain}"


def _lower_case(local: str) -> str:
    """Return the part before the @ in lower case, with each sigma as Greek writes it: ς at the end of a word, σ elsewhere.

    `str.lower` does that for capital letters only, so σ and ς in the same place would be two addresses with the same capital letters.
    """
    lower = "".join(character.lower() for character in local).replace("ς", "σ")
    return unicodedata.normalize("NFC", SIGMA_AT_THE_END_OF_A_WORD.sub("ς", lower))


def _special_use_top_level(address: str) -> str | None:
    """Return the top-level domain if email_validator refuses it as reserved (`local`, `test`). It has no option to accept them."""
    last = LABEL_SEPARATORS.split(address.rpartition("@")[2])[-1]
    return last if _normalize_label(last) in email_validator.SPECIAL_USE_DOMAIN_NAMES else None


def _normalize_label(label: str) -> str:
    """Return a label of a domain in NFKC and lower case."""
    return unicodedata.normalize("NFKC", label).casefold()


Email = Annotated[str, Field(max_length=MAX_LENGTH), AfterValidator(normalize_email)]
