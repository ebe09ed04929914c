"""What the commands `dead-letters` print about a dead letter, which may be anything: bounded, and safe to print in a terminal."""

from datetime import UTC
from typing import Any

from pydantic import TypeAdapter, ValidationError

from kit.cli.event_view import MAX_VALUE_LENGTH, read_facts, shorten, to_words
from kit.cli.text import printable
from kit.messaging.dead_letters import DeadLetter

MAX_SHOWN_BYTES = 16 * 1024
MAX_SHOWN_ERRORS = 5


def describe(letter: DeadLetter, events: TypeAdapter[Any]) -> dict[str, Any]:
    """Return what a dead letter is about, as far as it can be read, and why it cannot be processed."""
    return {
        "id": letter.id,
        "died_at": letter.died_at.astimezone(UTC).isoformat(timespec="seconds") if letter.died_at else None,
        "reason": letter.reason,
        "type": shorten(letter.type),
        "message_id": shorten(letter.message_id),
        **read_facts(letter.body),
        "bytes": len(letter.body),
        "problems": find_problems(letter.body, events),
    }


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
    facts = [view["type"], *to_words(view)]
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
