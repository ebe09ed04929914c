"""The mode of a Paystack key. Imports no other module of payments, so that the pure rules and the settings can use it."""

from enum import StrEnum


class Mode(StrEnum):
    """Paystack's mode, called `domain` in its JSON. Test and live mode have separate transactions, customers and cards."""

    TEST = "test"
    LIVE = "live"
