"""Parsing of the channel in POST /charge."""

from datetime import UTC, datetime
from typing import Any

from sandbox.api.fields import optional_string
from sandbox.enums import Channel
from sandbox.errors import InvalidParams
from sandbox.pending_charges.models import ChannelChoice
from sandbox.timestamps import now

PROVIDER_FIELD = {
    Channel.BANK_TRANSFER: None,
    Channel.MOBILE_MONEY: "provider",
    Channel.QR: None,
    Channel.USSD: "type",
}
"""Emulated channels, with the field of the channel's object that names the provider."""
LONGEST_LIFETIME = 8 * 3_600_000
"""Milliseconds that the account of a transfer can live at Paystack."""


def parse_choice(fields: dict[str, Any]) -> ChannelChoice:
    """Return the channel that the body names by an object of its own. Raises InvalidParams."""
    named = [channel for channel in PROVIDER_FIELD if isinstance(fields.get(channel), dict)]
    if len(named) != 1:
        raise InvalidParams(f"Send exactly one of: {', '.join(PROVIDER_FIELD)}")
    channel = named[0]
    details: dict[str, Any] = fields[channel]
    provider_field = PROVIDER_FIELD[channel]
    phone = optional_string(details, "phone", 20) if channel == Channel.MOBILE_MONEY else None
    if channel == Channel.MOBILE_MONEY and phone is None:
        raise InvalidParams("phone is required")
    return ChannelChoice(
        channel,
        optional_string(details, provider_field, 20) if provider_field else None,
        phone,
        _parse_lifetime(details.get("account_expires_at")) if channel == Channel.BANK_TRANSFER else None,
    )


def _parse_lifetime(value: Any) -> int | None:
    """Return the milliseconds until the account expires, or None if no time is given."""
    if value is None or value == "":
        return None
    try:
        parsed = datetime.fromisoformat(value)
        expires_at = int((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp() * 1000)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidParams("account_expires_at must be an ISO 8601 time") from error
    lifetime = expires_at - now()
    if not 0 < lifetime <= LONGEST_LIFETIME:
        raise InvalidParams("account_expires_at must be in the next 8 hours")
    return lifetime
