"""Parse the body of a webhook: the name of the event, its data, and the reference of the payment."""

import json
from dataclasses import dataclass

from services.payments.paystack.parsing import Unreadable, parse_text

MAX_LENGTH = 200


@dataclass(frozen=True, slots=True)
class ParsedBody:
    """The body of a webhook. `data` is JSON of any form: the parsers of charges, refunds and disputes read it."""

    event: str
    data: object

    @property
    def reference(self) -> str | None:
        """Return the reference of the payment, or None if `data` has none."""
        if not isinstance(self.data, dict):
            return None
        return parse_text(self.data.get("reference") or self.data.get("transaction_reference"), MAX_LENGTH)


def parse_body(body: bytes) -> ParsedBody:
    """Parse the body of a webhook. Raises Unreadable if it is not a JSON object with the name of an event."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"not JSON: {type(error).__name__}") from error
    if not isinstance(found, dict) or not isinstance(found.get("event"), str):
        raise Unreadable("not a JSON object with the name of an event")
    return ParsedBody(parse_text(found["event"], MAX_LENGTH) or "", found.get("data"))
