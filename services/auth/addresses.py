"""E-mail addresses: one spelling for each, so that one address is one account."""

from typing import Annotated

import email_validator
from pydantic import AfterValidator, Field

MAX_LENGTH = 320

# Whether mail can arrive there is not ours to say: admin@shop.local is a sound address inside a company.
email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()


def normal(address: str) -> str:
    """The address in lower case and NFC, its domain in Unicode. Raises ValueError where it is no address; asks no DNS."""
    try:
        found = email_validator.validate_email(address.strip(), check_deliverability=False)
    except email_validator.EmailNotValidError as error:
        raise ValueError("is not an e-mail address") from error
    return found.normalized.lower()


Email = Annotated[str, Field(max_length=MAX_LENGTH), AfterValidator(normal)]
