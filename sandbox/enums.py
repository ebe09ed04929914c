"""Statuses, outcomes and kinds, each with the spelling that Paystack's API or the sandbox's own routes use."""

from enum import StrEnum


class Domain(StrEnum):
    """Mode of a secret key, and of all transactions, refunds and disputes that are created with it."""

    TEST = "test"
    LIVE = "live"


class TransactionStatus(StrEnum):
    ABANDONED = "abandoned"
    """Started and not paid. It can still be paid."""
    FAILED = "failed"
    """The last attempt was declined. It can still be paid."""
    ONGOING = "ongoing"
    PENDING = "pending"
    PROCESSING = "processing"
    QUEUED = "queued"
    SUCCESS = "success"
    REVERSAL_PENDING = "reversal-pending"
    """Paid, and a refund has not finished."""
    REVERSED = "reversed"
    """Paid, and at least one refund was processed."""


class ChargeOutcome(StrEnum):
    """Result of one attempt to pay."""

    SUCCESS = "success"
    FAILED = "failed"
    ABANDONED = "abandoned"
    ONGOING = "ongoing"
    PENDING = "pending"
    PROCESSING = "processing"
    QUEUED = "queued"


class Channel(StrEnum):
    CARD = "card"
    BANK_TRANSFER = "bank_transfer"
    DEDICATED_NUBAN = "dedicated_nuban"
    DIRECT_DEBIT = "direct_debit"
    MOBILE_MONEY = "mobile_money"
    POS = "pos"
    QR = "qr"
    USSD = "ussd"


class CheckoutChannel(StrEnum):
    """Channels that `channels` of initialize can name. The checkout page emulates some of them."""

    CARD = "card"
    BANK = "bank"
    APPLE_PAY = "apple_pay"
    USSD = "ussd"
    QR = "qr"
    MOBILE_MONEY = "mobile_money"
    BANK_TRANSFER = "bank_transfer"
    EFT = "eft"
    CAPITEC_PAY = "capitec_pay"
    PAYATTITUDE = "payattitude"


class PendingChargeStatus(StrEnum):
    """`data.status` of the calls of /charge for a channel that needs an action of the payer outside the page."""

    SEND_OTP = "send_otp"
    """The payer must send the one-time code."""
    PAY_OFFLINE = "pay_offline"
    """The payer must approve on the phone, dial the code or scan the code."""
    PENDING = "pending"
    """Waits for a transfer, or for the bank after the payer acted."""
    TIMEOUT = "timeout"
    FAILED = "failed"
    SUCCESS = "success"


class TransferAccount(StrEnum):
    """State of the account when a transfer arrives."""

    OPEN = "open"
    CLOSED = "closed"
    EXPIRED = "expired"


class TransferScenario(StrEnum):
    """Transfers that the checkout page offers."""

    AT_ONCE = "at_once"
    SLOW = "slow"
    TOO_LITTLE = "too_little"
    TOO_MUCH = "too_much"
    CLOSED = "closed"
    EXPIRED = "expired"


class WebhookShape(StrEnum):
    """Unusual shapes of the webhook charge.success for a card payment."""

    BULK_CHARGE = "bulk_charge"
    LEGACY = "legacy"
    MULTI_SPLIT = "multi_split"
    SUBSCRIPTION = "subscription"
    VIRTUAL_TERMINAL = "virtual_terminal"


class CardName(StrEnum):
    """Names of Paystack's test cards."""

    SUCCESS = "success"
    DECLINED = "declined"
    INSUFFICIENT_FUNDS = "insufficient-funds"
    REFUND_FAILS = "refund-fails"
    REFUND_NEEDS_ATTENTION = "refund-needs-attention"
    PIN = "pin"
    PIN_OTP = "pin-otp"
    PIN_PHONE_OTP = "pin-phone-otp"
    BANK = "bank"
    NO_TOKEN = "no-token"


class CardQuestion(StrEnum):
    """What the checkout page asks before it charges a card."""

    PIN = "pin"
    PHONE = "phone"
    OTP = "otp"
    BANK = "bank"


class CheckoutAction(StrEnum):
    """Buttons of the checkout page."""

    PAY = "pay"
    ANSWER = "answer"
    DECLINE = "decline"
    CANCEL = "cancel"
    CHOOSE = "choose"
    """Choose a channel other than card."""
    CHANGE = "change"
    """Return to the choice of channels."""
    TRANSFER = "transfer"
    APPROVE = "approve"
    APPROVE_SLOW = "approve_slow"
    """Approve, and the bank or the network answers late."""
    REJECT = "reject"
    SEND_CODE = "send_code"


class TimelineKind(StrEnum):
    ACTION = "action"
    ERROR = "error"
    SUCCESS = "success"


class RefundStatus(StrEnum):
    PENDING = "pending"
    PROCESSING = "processing"
    PROCESSED = "processed"
    FAILED = "failed"
    NEEDS_ATTENTION = "needs-attention"
    """Paystack waits for the payer's bank account."""


class RefundOutcome(StrEnum):
    """Statuses that a control call can give to a refund."""

    PROCESSING = "processing"
    PROCESSED = "processed"
    FAILED = "failed"
    NEEDS_ATTENTION = "needs-attention"


class DisputeStatus(StrEnum):
    AWAITING_MERCHANT_FEEDBACK = "awaiting-merchant-feedback"
    AWAITING_BANK_FEEDBACK = "awaiting-bank-feedback"
    PENDING = "pending"
    RESOLVED = "resolved"


class DisputeCategory(StrEnum):
    CHARGEBACK = "chargeback"
    FRAUD = "fraud"
    GENERAL = "general"


class DisputeResolution(StrEnum):
    MERCHANT_ACCEPTED = "merchant-accepted"
    AUTO_ACCEPTED = "auto-accepted"
    """The merchant did not respond in time."""
    DECLINED = "declined"


class DisputeOutcome(StrEnum):
    """What a control call can do to a dispute: send a reminder, or resolve it."""

    REMIND = "remind"
    MERCHANT_ACCEPTED = "merchant-accepted"
    AUTO_ACCEPTED = "auto-accepted"
    DECLINED = "declined"


class DisputeEvent(StrEnum):
    """Last word in the name of the webhook event charge.dispute.<event>."""

    CREATE = "create"
    REMIND = "remind"
    RESOLVE = "resolve"


class WebhookState(StrEnum):
    """State of a webhook in the queue."""

    PENDING = "pending"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"
    """The last attempt of the schedule failed."""
    LOST = "lost"
    """Never sent, because a fault or a control call set `deliveries` to 0."""


class WebhookEventStatus(StrEnum):
    """State of a webhook in Paystack's Webhook Events API."""

    DELIVERED = "Delivered"
    PENDING = "Pending"
    FAILED = "Failed"


class WebhookSignature(StrEnum):
    """How a webhook sent by a control call is signed."""

    VALID = "valid"
    NONE = "none"
    WRONG = "wrong"


class CallFaultMode(StrEnum):
    """Faults of any API call. TIMEOUT_AFTER_STORE and RESET carry out the call; the others do not."""

    NONE = "none"
    TIMEOUT_AFTER_STORE = "timeout_after_store"
    TIMEOUT_BEFORE = "timeout_before"
    ERROR_500 = "error_500"
    ERROR_401 = "error_401"
    HTML_200 = "html_200"
    RESET = "reset"
    """Sends half a response and closes the connection."""
    RATE_LIMITED = "rate_limited"


class VerifyFaultMode(StrEnum):
    """Faults of verify: those of any call, `not_found`, and responses with one wrong value."""

    NONE = "none"
    TIMEOUT_AFTER_STORE = "timeout_after_store"
    TIMEOUT_BEFORE = "timeout_before"
    ERROR_500 = "error_500"
    ERROR_401 = "error_401"
    HTML_200 = "html_200"
    RESET = "reset"
    RATE_LIMITED = "rate_limited"
    NOT_FOUND = "not_found"
    WRONG_STATUS = "wrong_status"
    WRONG_REFERENCE = "wrong_reference"
    WRONG_AMOUNT = "wrong_amount"
    WRONG_CURRENCY = "wrong_currency"
    WRONG_DOMAIN = "wrong_domain"


class SavedCardOutcome(StrEnum):
    """Result of charging a saved card."""

    CHARGED = "charged"
    DECLINED = "declined"
    PAUSED = "paused"
    """The payer must go to the checkout page."""
