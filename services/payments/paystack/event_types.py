"""Every kind of notice that Paystack is known to send: what becomes of it, and what makes two deliveries the same happening.

A notice carries no id, no time and no version of its own (Paystack's documentation, "Webhooks"): what identifies it is in its data.
"""

import hashlib
from dataclasses import dataclass
from typing import Literal

from services.payments.paystack.parsing import parse_text

Handling = Literal["handled", "kept", "unknown"]


@dataclass(frozen=True, slots=True)
class EventType:
    """`becomes`: what we make of it. `named_by`: fields of its data, the first of which is never absent; where it is, the body's hash.

    `recurs`: the same fields may tell another happening, so the body's hash belongs to the identity.
    """

    handling: Handling
    becomes: str
    named_by: tuple[str, ...] = ("id",)
    recurs: bool = False


REFUND = EventType(
    "handled",
    "looks into the refunds of its payment",
    ("transaction_reference", "refund_reference", "amount", "status"),
)
DISPUTE = EventType("handled", "opens or moves a dispute", ("id", "updated_at"))
PAYOUT = EventType("kept", "no payouts are made from here")
SUBSCRIPTION = EventType("kept", "no subscriptions are sold here", ("subscription_code", "status", "next_payment_date"))
INVOICE = EventType("kept", "money of a subscription comes as charge.success", ("invoice_code", "status", "paid_at"))
PAYMENT_REQUEST = EventType("kept", "its money comes as charge.success")
IDENTIFICATION = EventType("kept", "no customers are identified here", ("customer_code",), recurs=True)
MANDATE = EventType("kept", "no direct debits are made here", ("authorization_code",))
PREAUTHORIZATION = EventType("kept", "nothing is reserved from here")

EVENT_TYPES: dict[str, EventType] = {
    "charge.success": EventType("handled", "settles its payment"),
    "charge.dispute.create": DISPUTE,
    "charge.dispute.remind": DISPUTE,
    "charge.dispute.resolve": DISPUTE,
    "refund.pending": REFUND,
    "refund.processing": REFUND,
    "refund.processed": REFUND,
    "refund.failed": REFUND,
    "refund.needs-attention": REFUND,
    "bank.transfer.rejected": EventType(
        "kept", "Paystack gave the money back: nothing was paid", ("bank_transfer.transaction_id",), recurs=True
    ),
    "transfer.success": PAYOUT,
    "transfer.failed": PAYOUT,
    "transfer.reversed": PAYOUT,
    "subscription.create": SUBSCRIPTION,
    "subscription.disable": SUBSCRIPTION,
    "subscription.not_renew": SUBSCRIPTION,
    "subscription.expiring_cards": EventType("kept", "no subscriptions are sold here", ("0.expiry_date",), recurs=True),
    "invoice.create": INVOICE,
    "invoice.update": INVOICE,
    "invoice.payment_failed": INVOICE,
    "paymentrequest.pending": PAYMENT_REQUEST,
    "paymentrequest.success": PAYMENT_REQUEST,
    "customeridentification.success": IDENTIFICATION,
    "customeridentification.failed": IDENTIFICATION,
    "dedicatedaccount.assign.success": EventType(
        "kept", "no account numbers are given out here", ("dedicated_account.id",)
    ),
    "dedicatedaccount.assign.failed": EventType(
        "kept", "no account numbers are given out here", ("customer.id",), recurs=True
    ),
    "direct_debit.authorization.created": MANDATE,
    "direct_debit.authorization.active": MANDATE,
    "preauthorization.reserve.success": PREAUTHORIZATION,
    "preauthorization.capture.success": PREAUTHORIZATION,
    "preauthorization.capture.failed": PREAUTHORIZATION,
    "preauthorization.release.success": PREAUTHORIZATION,
    "preauthorization.release.failed": PREAUTHORIZATION,
}
UNKNOWN = EventType("unknown", "stored, and nothing else: this kind is not known here", ())


def event_type_of(event: str) -> EventType:
    """A refund or a dispute in a new state is still a refund or a dispute."""
    if event.startswith("refund."):
        return REFUND
    return DISPUTE if event.startswith("charge.dispute.") else EVENT_TYPES.get(event, UNKNOWN)


def identity(event: str, data: object, body: bytes) -> str:
    """What this notice has in common with every other delivery of the same happening.

    Two equal partial refunds share theirs: their notices are only a nudge.
    """
    kind = event_type_of(event)
    found = [_at(data, path) for path in kind.named_by]
    if event == "charge.success" and found[0] is None:
        found = [_at(data, "reference")]
    if not found or found[0] is None:
        return f"{event}:{hashlib.sha256(body).hexdigest()}"
    named = "/".join("-" if part is None else part for part in found)
    return f"{event}:{named}:{hashlib.sha256(body).hexdigest()}" if kind.recurs else f"{event}:{named}"


def identity_of_row(event: str, row_id: int | None) -> str | None:
    """The identity, from Paystack's number of what the notice is about alone; None where that does not tell it."""
    return f"{event}:{row_id}" if row_id is not None and event_type_of(event).named_by == ("id",) else None


def _at(data: object, path: str) -> str | None:
    for name in path.split("."):
        if isinstance(data, dict):
            data = data.get(name)
        elif isinstance(data, list) and name == "0":
            data = data[0] if data else None
        else:
            return None
    if isinstance(data, int) and not isinstance(data, bool) and abs(data) < 2**64:
        return str(data)
    return parse_text(data, 200)
