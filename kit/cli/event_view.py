"""What commands print about the body of an event, which may be anything: bounded, and safe to print in a terminal."""

import json
from typing import Any

from contracts.money import format_money
from kit.cli.text import printable

MAX_PARSED_BYTES = 64 * 1024
MAX_VALUE_LENGTH = 200
MAX_AMOUNT = 2**53


def read_event(body: bytes) -> dict[str, Any]:
    """Return the JSON object in a body, without any validation. Empty if there is none."""
    if len(body) > MAX_PARSED_BYTES:
        return {}
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return event if isinstance(event, dict) else {}


def read_facts(body: bytes) -> dict[str, Any]:
    """Return what an event is about, as far as it can be read: reference, order_id, amount and currency."""
    found = read_event(body).get("data")
    data = found if isinstance(found, dict) else {}
    amount, currency = data.get("amount"), data.get("currency")
    money = type(amount) is int and 0 <= amount <= MAX_AMOUNT and isinstance(currency, str)
    return {
        "reference": shorten(data.get("reference")),
        "order_id": shorten(data.get("order_id")),
        "amount": amount if money else None,
        "currency": shorten(currency) if money else None,
    }


def to_words(facts: dict[str, Any]) -> list[str]:
    """Return the facts of `read_facts` for a person: reference, order and amount."""
    money = format_money(facts["amount"], facts["currency"]) if facts["amount"] is not None else None
    words = [facts["reference"], f"order {facts['order_id']}" if facts["order_id"] else None, money]
    return [word for word in words if word]


def shorten(value: object) -> str | None:
    """Return a text value without characters that cannot be printed or encoded, cut to MAX_VALUE_LENGTH; None for another value."""
    if not isinstance(value, str):
        return None
    return printable(value[:MAX_VALUE_LENGTH]) or None
