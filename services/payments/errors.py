"""The error responses of payments. The first line of each docstring is the default `detail` that clients receive."""

from typing import ClassVar

from kit.errors import MemberTypes, Problem, Unavailable
from services.payments.statuses import PaymentStatus


class PaymentNotFound(Problem):
    """There is no payment with this reference, or it is not yours: list your payments with GET /payments."""

    status = 404


class OrderNotFound(Problem):
    """There is no order with this id, or it is not yours: list your orders with GET /catalog/orders."""

    status = 404


class OrderNotBindable(Problem):
    """The order is neither pending nor expired, or its amount differs from the payment: choose another order, or refund the payment."""

    status = 409


class OrderNotPayable(Problem):
    """This order cannot be paid, because it is not pending: check its status with GET /catalog/orders/{id}."""

    status = 409
    members: ClassVar[MemberTypes] = {"reference": str}


class AmountNotPayable(Problem):
    """Paystack does not accept the amount of this order in its currency: place another order."""

    status = 422


class TooManyPayments(Problem):
    """This order has too many pending payments: complete one of them at its `authorization_url`."""

    status = 409


class PayerUnknown(Problem):
    """Paystack requires an e-mail address: send `email`; a program sends `customer`; or log in with an account that has an address."""

    status = 422


class EmailNotVerified(Problem):
    """Your e-mail address is not verified: use the link or the code in the mail, refresh your access token, then pay."""

    status = 403


class PaymentRefused(Problem):
    """Paystack refused the request; correct what its message names, and send another request."""

    status = 422


class PaymentStatusChanged(Problem):
    """The payment has another status than the one you decided about: get the payment again, then decide anew."""

    status = 409
    members: ClassVar[MemberTypes] = {"payment_status": PaymentStatus}


class RefundRefused(Problem):
    """Paystack refused to send the refund to this bank account; correct what its message names, and send another request."""

    status = 422


class NothingToRefund(Problem):
    """This payment has no money that can be refunded: list its refunds with GET /payments/{reference}/refunds."""

    status = 409


class RefundCurrencyDiffers(Problem):
    """The amount of the refund is in another currency than the payment: request the refund in the currency of the payment."""

    status = 422


class RefundNotWhole(Problem):
    """The currency of the payment has no fractions: request a refund of a multiple of 100 subunits."""

    status = 422


class RefundTooLarge(Problem):
    """The amount is greater than the refundable amount of the payment: request at most `left` subunits."""

    status = 422
    members: ClassVar[MemberTypes] = {"left": int}


class ReasonNeeded(Problem):
    """The refund of a held payment requires a reason: send `reason`."""

    status = 422


class RefundNotFound(Problem):
    """This payment has no refund with this id: list its refunds with GET /payments/{reference}/refunds."""

    status = 404


class RefundNotAwaitingAccount(Problem):
    """Only a refund with status `needs-attention` can be sent to a bank account: check the status of this refund."""

    status = 409


class RefundNotFailed(Problem):
    """Only a failed refund, or a refused one whose next attempt is more than five minutes away, can be closed: check its status."""

    status = 409


class NotHeld(Problem):
    """This payment is not held, or is held for a reason that does not allow this decision: check its `held_reason`."""

    status = 409


class NothingOverpaid(Problem):
    """The payer has not paid more than the order costs: accept the payment without `refund_difference`, or refund everything."""

    status = 409


class DisputeNotFound(Problem):
    """There is no dispute with this id: list the disputes with GET /payments/disputes."""

    status = 404


class DisputeNotAwaitingResponse(Problem):
    """This dispute does not wait for our response: check its status with GET /payments/disputes/{id}."""

    status = 409


class DisputeRefused(Problem):
    """Paystack refused this request about the dispute; correct what its message names, and send another request."""

    status = 422


class CardNotFound(Problem):
    """You have no saved card with this id: list your cards with GET /payments/cards."""

    status = 404


class ChannelNotAvailable(Problem):
    """A channel is not available for the currency of the order: leave `channels` out, or choose others."""

    status = 422


class ChargePending(Problem):
    """The result of a card charge for this order is not known yet: wait a moment, then get the payment with this `reference`."""

    status = 409
    members: ClassVar[MemberTypes] = {"reference": str}


class RejectedTransferNotFound(Problem):
    """There is no rejected transfer with this id: list them with GET /payments/rejected-transfers."""

    status = 404


class RejectedTransferMatched(Problem):
    """The payment of this rejected transfer is known already: GET /payments/rejected-transfers has its reference."""

    status = 409


class WebhookEventNotFailed(Problem):
    """Only a webhook event with the status failed can be closed: check the status of this webhook event."""

    status = 409


class WebhookEventNotFound(Problem):
    """There is no webhook event with this id: list the webhook events with GET /payments/webhook-events."""

    status = 404


class NotConfigured(Problem):
    """This system has no Paystack secret key: an operator must set PAYSTACK_SECRET_KEY."""

    status = 404


class WebhookAddressNotAllowed(Problem):
    """Webhooks are not accepted from your address: an operator sets the allowed ones in PAYMENTS_WEBHOOK_SOURCES."""

    status = 403


class BadSignature(Problem):
    """The signature does not match the body: sign the raw body with HMAC-SHA512 and the Paystack secret key."""

    status = 401


class PaystackUnavailable(Unavailable):
    """Paystack is unavailable: try again in a moment."""


class CatalogUnavailable(Unavailable):
    """The catalog is unavailable and nothing was changed: try again in a moment."""
