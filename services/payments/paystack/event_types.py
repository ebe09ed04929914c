"""The webhook event types that Paystack documents: what we do with each, and which fields identify an event.

A webhook event has no id, time or version of its own (Paystack's documentation, "Webhooks"). Its identity is derived from its data.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from services.payments.paystack.parsing import parse_text


class Handling(StrEnum):
    """What this service does with the webhook events of a type. Whether one event is processed yet is its status (EntryStatus)."""

    USED = "used"
    """Events of the type can change something."""

    IGNORED = "ignored"
    """Events of the type are stored and change nothing."""

    UNKNOWN = "unknown"
    """The type is not known. Its events are stored and change nothing."""


@dataclass(frozen=True, slots=True)
class WebhookEventType:
    """How webhook events of one type are handled.

    `explanation`: what processing does, or why it does nothing. `identified_by`: the fields of `data` that make up the identity. If the
    first field is absent, the identity is the hash of the body; for charge.success, it is the reference. `includes_body_hash`: different
    events of this type can have equal fields, so their identity contains the hash of the body too.
    """

    handling: Handling
    explanation: str
    identified_by: tuple[str, ...] = ("id",)
    includes_body_hash: bool = False


REFUND = WebhookEventType(
    Handling.USED,
    "schedules a sync of the refunds of its payment",
    ("transaction_reference", "refund_reference", "amount", "status"),
)
DISPUTE = WebhookEventType(
    Handling.USED, "records a new dispute, or schedules a poll of a recorded one", ("id", "updated_at")
)
TRANSFER = WebhookEventType(Handling.IGNORED, "this shop makes no transfers")
SUBSCRIPTION = WebhookEventType(
    Handling.IGNORED, "this shop sells no subscriptions", ("subscription_code", "status", "next_payment_date")
)
INVOICE = WebhookEventType(
    Handling.IGNORED, "the money arrives as charge.success", ("invoice_code", "status", "paid_at")
)
PAYMENT_REQUEST = WebhookEventType(Handling.IGNORED, "the money arrives as charge.success")
IDENTIFICATION = WebhookEventType(
    Handling.IGNORED, "this shop identifies no customers", ("customer_code",), includes_body_hash=True
)
MANDATE = WebhookEventType(Handling.IGNORED, "this shop makes no direct debits", ("authorization_code",))
PREAUTHORIZATION = WebhookEventType(Handling.IGNORED, "this shop makes no preauthorizations")

EVENT_TYPES: dict[str, WebhookEventType] = {
    "charge.success": WebhookEventType(Handling.USED, "settles its payment"),
    "charge.dispute.create": DISPUTE,
    "charge.dispute.remind": DISPUTE,
    "charge.dispute.resolve": DISPUTE,
    "refund.pending": REFUND,
    "refund.processing": REFUND,
    "refund.processed": REFUND,
    "refund.failed": REFUND,
    "refund.needs-attention": REFUND,
    "bank.transfer.rejected": WebhookEventType(
        Handling.USED,
        "records the rejected transfer; its payment is looked up at Paystack",
        ("bank_transfer.transaction_id",),
        includes_body_hash=True,
    ),
    "transfer.success": TRANSFER,
    "transfer.failed": TRANSFER,
    "transfer.reversed": TRANSFER,
    "subscription.create": SUBSCRIPTION,
    "subscription.disable": SUBSCRIPTION,
    "subscription.not_renew": SUBSCRIPTION,
    "subscription.expiring_cards": WebhookEventType(
        Handling.IGNORED, "this shop sells no subscriptions", ("0.expiry_date",), includes_body_hash=True
    ),
    "invoice.create": INVOICE,
    "invoice.update": INVOICE,
    "invoice.payment_failed": INVOICE,
    "paymentrequest.pending": PAYMENT_REQUEST,
    "paymentrequest.success": PAYMENT_REQUEST,
    "customeridentification.success": IDENTIFICATION,
    "customeridentification.failed": IDENTIFICATION,
    "dedicatedaccount.assign.success": WebhookEventType(
        Handling.IGNORED, "this shop assigns no account numbers", ("dedicated_account.id",)
    ),
    "dedicatedaccount.assign.failed": WebhookEventType(
        Handling.IGNORED, "this shop assigns no account numbers", ("customer.id",), includes_body_hash=True
    ),
    "direct_debit.authorization.created": MANDATE,
    "direct_debit.authorization.active": MANDATE,
    "preauthorization.reserve.success": PREAUTHORIZATION,
    "preauthorization.capture.success": PREAUTHORIZATION,
    "preauthorization.capture.failed": PREAUTHORIZATION,
    "preauthorization.release.success": PREAUTHORIZATION,
    "preauthorization.release.failed": PREAUTHORIZATION,
}
UNKNOWN = WebhookEventType(Handling.UNKNOWN, "this event type is not known", ())


def event_type_of(type_name: str) -> WebhookEventType:
    """Return the event type. Unknown `refund.*` and `charge.dispute.*` events are processed as refunds and disputes."""
    if type_name.startswith("refund."):
        return REFUND
    return DISPUTE if type_name.startswith("charge.dispute.") else EVENT_TYPES.get(type_name, UNKNOWN)


def identity(type_name: str, data: object, body: bytes) -> str:
    """Return the identity of a webhook event: equal for all deliveries of one event.

    The events of two equal partial refunds have the same identity too. That is harmless: a refund event only schedules a sync.
    """
    event_type = event_type_of(type_name)
    found = [_value_at(data, path) for path in event_type.identified_by]
    if type_name == "charge.success" and found[0] is None:
        found = [_value_at(data, "reference")]
    if not found or found[0] is None:
        return f"{type_name}:{hashlib.sha256(body).hexdigest()}"
    named = "/".join("-" if part is None else part for part in found)
    by_fields = f"{type_name}:{named}"
    return f"{by_fields}:{hashlib.sha256(body).hexdigest()}" if event_type.includes_body_hash else by_fields


def identity_from_object_id(type_name: str, object_id: int | None) -> str | None:
    """Return the identity of an event from the id in its data. Return None without an id, or if the identity needs other fields."""
    if object_id is None or event_type_of(type_name).identified_by != ("id",):
        return None
    return f"{type_name}:{object_id}"


def _value_at(data: object, path: str) -> str | None:
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
