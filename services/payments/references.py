"""References of payments: create our own, and tell whether an unknown one can be ours."""

import secrets

from services.payments.settings import settings


def new_reference() -> str:
    """Return a new reference: unguessable, in the characters that Paystack allows. Every attempt to pay needs its own."""
    return f"{settings.payments_reference_prefix}{secrets.token_hex(16)}"


def is_unrelated(reference: str) -> bool:
    """Return True if a reference that no payment has is certainly not ours: it begins with none of our prefixes, current or previous.

    Another application on the same Paystack account uses it, or it was charged on Paystack's dashboard. Always False if a setting
    asks to hold such money. A reference with our prefix may be ours, for example after a dump of the database was restored.
    """
    prefixes = (settings.payments_reference_prefix, *settings.payments_reference_prefixes_previous)
    return not settings.payments_hold_unrelated_charges and not reference.startswith(prefixes)
