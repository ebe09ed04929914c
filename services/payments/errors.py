"""What can be wrong with a request to payments."""

from kit.errors import Problem, Unavailable


class PaymentNotFound(Problem):
    """There is no such payment among those that you may see."""

    status = 404


class OrderNotFound(Problem):
    """There is no such order among yours."""

    status = 404


class OrderNotPayable(Problem):
    """The order is no longer waiting for a payment."""

    status = 409


class TooManyPayments(Problem):
    """Too many payments of this order wait for their payer; one of them can still be paid."""

    status = 409


class PayerUnknown(Problem):
    """The access token names no e-mail address, which Paystack needs of a payer."""

    status = 422


class PaymentRefused(Problem):
    """Paystack does not accept this payment."""

    status = 422


class NothingToRefund(Problem):
    """There is no money of this payment left to give back."""

    status = 409


class RefundTooLarge(Problem):
    """More than is left of the payment."""

    status = 422


class ReasonNeeded(Problem):
    """Held money is given back with a reason, which is recorded."""

    status = 422


class RefundNotFound(Problem):
    """There is no such refund of this payment."""

    status = 404


class RefundNotAwaitingAccount(Problem):
    """The refund does not wait for the payer's account."""

    status = 409


class NotHeld(Problem):
    """The payment is not held, or not for a reason about which this can be decided."""

    status = 409


class DisputeNotFound(Problem):
    """There is no such dispute."""

    status = 404


class DisputeNotAwaitingResponse(Problem):
    """The dispute does not wait for our answer."""

    status = 409


class DisputeRefused(Problem):
    """Paystack does not accept this answer to the dispute."""

    status = 422


class CardNotFound(Problem):
    """There is no such card among yours."""

    status = 404


class ChargePending(Problem):
    """A charge for this order is not decided yet; `reference` says which."""

    status = 409


class WebhookEventNotFound(Problem):
    """There is no such notice."""

    status = 404


class NotConfigured(Problem):
    """No Paystack secret key is configured."""

    status = 404


class BadSignature(Problem):
    """The signature is not Paystack's for this body."""

    status = 401


class PaystackUnavailable(Unavailable):
    """Paystack cannot be asked right now; nothing was charged, try again."""


class CatalogUnavailable(Unavailable):
    """The catalog cannot be asked right now; nothing was changed, try again."""
