"""The mode of a Paystack key. Imports nothing, so that pure rules and settings can both use it."""

from enum import StrEnum


class Mode(StrEnum):
    """Paystack's mode, called `domain` in its JSON. Test and live mode have separate transactions, customers and cards."""

    TEST = "test"
    LIVE = "live"
