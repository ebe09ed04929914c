"""The rule for the texts that a shop attaches to its orders and payments: `metadata`. Events carry them, and Paystack gets them."""

from typing import TypeVar

MAX_METADATA = 16
"""The largest number of texts of an order or a payment."""

RESERVED_METADATA = frozenset({"order_id", "phone", "cancel_action", "custom_fields", "custom_filters", "referrer"})
"""Names in the metadata of a transaction that Paystack or payments uses."""

T = TypeVar("T")


def check_metadata_names(metadata: dict[str, T]) -> dict[str, T]:
    """Return the metadata. Raises ValueError if it contains a reserved name."""
    reserved = sorted(RESERVED_METADATA & metadata.keys())
    if reserved:
        raise ValueError(f"must not contain the reserved name {reserved[0]}")
    return metadata
