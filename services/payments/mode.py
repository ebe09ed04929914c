"""The mode of a Paystack key. Imports nothing, so that pure rules and settings can both use it."""

from enum import StrEnum


class Mode(StrEnum):
    """What Paystack calls the domain: test and live have separate transactions, customers and cards."""

    TEST = "test"
    LIVE = "live"
