"""Parse webhook events: type, reference and identity of the event, and the charge, the dispute or the rejected transfer in it."""

import json
from dataclasses import dataclass

from services.payments.paystack import event_types
from services.payments.paystack.charge import Charge, parse_charge
from services.payments.paystack.disputes import PaystackDispute, parse_dispute
from services.payments.paystack.parsing import Unreadable, parse_text
from services.payments.paystack.rejected_transfers import PaystackRejectedTransfer, parse_rejected_transfer

MAX_LENGTH = 200


@dataclass(frozen=True, slots=True)
class ParsedBody:
    """The body of a webhook event. `data` is any JSON value."""

    type_name: str
    data: object

    @property
    def reference(self) -> str | None:
        """Return the reference of the payment, or None if `data` has none.

        Charges have `reference`, refunds `transaction_reference`; disputes, and refunds in some reports, have `transaction.reference`. If
        a refund has a `reference`, it may be the refund's own.
        """
        if not isinstance(self.data, dict):
            return None
        transaction = self.data.get("transaction")
        nested = transaction.get("reference") if isinstance(transaction, dict) else None
        values = [self.data.get("reference"), self.data.get("transaction_reference"), nested]
        if self.type_name.startswith("refund."):
            values = [*values[1:], values[0]]
        return next((found for value in values if (found := parse_text(value, MAX_LENGTH))), None)


@dataclass(slots=True)
class ParsedEvent:
    """A webhook event while it is processed. `type_name`, `reference`, `identity` and `outcome` are stored with it, `type_name` as `event`.

    `order_id` and `traceparent`: those of the payment that the charge in the event belongs to; for the log.
    `charge`, `dispute` and `transfer`: the charge, the dispute or the rejected transfer in the event. `charge_error`: why the charge could
    not be parsed, set only if its reference could be parsed. `failure`: why the event cannot be processed, even if it is retried.
    `postponed`: why it is retried later.
    """

    entry_id: int
    data: object = None
    type_name: str | None = None
    reference: str | None = None
    identity: str | None = None
    charge: Charge | None = None
    dispute: PaystackDispute | None = None
    transfer: PaystackRejectedTransfer | None = None
    charge_error: str | None = None
    failure: str | None = None
    postponed: str | None = None
    outcome: str | None = None
    order_id: str | None = None
    traceparent: str | None = None

    @property
    def is_refund(self) -> bool:
        """Return True if the event reports a change of a refund."""
        return self.type_name is not None and self.type_name.startswith("refund.")


def parse_event(entry_id: int, body: bytes) -> ParsedEvent:
    """Parse a stored webhook event. If that is impossible, `failure` says why."""
    parsed = ParsedEvent(entry_id)
    try:
        _parse_into(parsed, body)
    except Unreadable as error:
        parsed.failure = str(error)
    return parsed


def parse_body(body: bytes) -> ParsedBody:
    """Parse the body of a webhook event. Raises Unreadable if it is not a JSON object with the name of an event."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"not JSON: {type(error).__name__}") from error
    if not isinstance(found, dict) or not isinstance(found.get("event"), str):
        raise Unreadable("not a JSON object with the name of an event")
    return ParsedBody(parse_text(found["event"], MAX_LENGTH) or "", found.get("data"))


def _parse_into(parsed: ParsedEvent, body: bytes) -> None:
    content = parse_body(body)
    parsed.type_name, parsed.data, parsed.reference = content.type_name, content.data, content.reference
    parsed.identity = event_types.identity(content.type_name, content.data, body)
    if content.type_name.startswith("charge.dispute."):
        parsed.dispute = parse_dispute(content.data)
    elif content.type_name == "bank.transfer.rejected":
        parsed.transfer = parse_rejected_transfer(content.data)
    elif content.type_name == "charge.success":
        try:
            parsed.charge = parse_charge(content.data)
        except Unreadable as error:
            if parsed.reference is None:
                raise
            parsed.charge_error = str(error)
