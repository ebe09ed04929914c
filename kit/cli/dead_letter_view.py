"""What the commands `dead-letters` print about a dead letter, which may be anything: bounded, and safe to print in a terminal."""

import json
from datetime import UTC
from typing import Any

from pydantic import TypeAdapter, ValidationError

from contracts.money import format_money
from kit.cli.text import printable
from kit.messaging.dead_letters import DeadLetter

MAX_PARSED_BYTES = 64 * 1024
MAX_SHOWN_BYTES = 16 * 1024
MAX_SHOWN_ERRORS = 5
MAX_VALUE_LENGTH = 200
MAX_AMOUNT = 2**53


def describe(letter: DeadLetter, events: TypeAdapter[Any]) -> dict[str, Any]:
    """Return what a dead letter is about, as far as it can be read, and why it cannot be processed."""
    data = read_data(letter.body)
    amount, currency = data.get("amount"), data.get("currency")
    money = type(amount) is int and 0 <= amount <= MAX_AMOUNT and isinstance(currency, str)
    return {
        "id": letter.id,
        "died_at": letter.died_at.astimezone(UTC).isoformat(timespec="seconds") if letter.died_at else None,
        "reason": letter.reason,
        "type": shorten(letter.type),
        "message_id": shorten(letter.message_id),
        "reference": shorten(data.get("reference")),
        "order_id": shorten(data.get("order_id")),
        "amount": amount if money else None,
        "currency": shorten(currency) if money else None,
        "bytes": len(letter.body),
        "problems": find_problems(letter.body, events),
    }


def read_data(body: bytes) -> dict[str, Any]:
    """Return the `data` of an event, without any validation. Empty if there is none."""
    if len(body) > MAX_PARSED_BYTES:
        return {}
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    data = event.get("data") if isinstance(event, dict) else None
    return data if isinstance(data, dict) else {}


def find_problems(body: bytes, events: TypeAdapter[Any]) -> list[str]:
    """Return why this version cannot read an event, without the values; empty if it can."""
    try:
        events.validate_json(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        return [f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['msg']}"[:MAX_VALUE_LENGTH] for one in found][
            :MAX_SHOWN_ERRORS
        ]
    return []


def to_paragraph(view: dict[str, Any]) -> str:
    """Return a dead letter in a few lines."""
    money = format_money(view["amount"], view["currency"]) if view["amount"] is not None else None
    facts = [view["type"], view["reference"], f"order {view['order_id']}" if view["order_id"] else None, money]
    lines = [
        f"{view['id']}  {view['died_at'] or 'unknown time'}  {view['reason'] or 'unknown reason'}  {view['bytes']:,} bytes",
        *(f"  {fact}" for fact in facts if fact),
        *(f"  problem: {problem}" for problem in view["problems"]),
    ]
    if not view["problems"]:
        lines.append("  This version can read it: put it back.")
    return "\n".join(printable(line) for line in lines)


def body_text(body: bytes) -> str:
    """Return the first MAX_SHOWN_BYTES of a body as text; bytes that are not UTF-8 as escapes."""
    text = body[:MAX_SHOWN_BYTES].decode("utf-8", "backslashreplace")
    left = len(body) - MAX_SHOWN_BYTES
    return f"{text}… ({left:,} more bytes)" if left > 0 else text


def shorten(value: object) -> str | None:
    """Return a text value without characters that cannot be printed or encoded, cut to MAX_VALUE_LENGTH; None for another value."""
    if not isinstance(value, str):
        return None
    return printable(value[:MAX_VALUE_LENGTH]) or None
