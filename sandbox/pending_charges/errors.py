from sandbox.errors import ApiError


class ChannelNotAvailable(ApiError):
    """This transaction cannot be paid through this channel"""

    code = "channel_not_available"


class ProviderNotAvailable(ApiError):
    """This provider is not available for the channel and the currency"""

    code = "invalid_params"


class ChargeInProgress(ApiError):
    """The payer has already acted. Wait until the bank answers."""

    status = 409
    code = "charge_in_progress"


class NoPendingCharge(ApiError):
    """No charge of this transaction waits for this action. Choose a channel first."""

    status = 409
    code = "no_pending_charge"


class ChargeReferenceInvalid(ApiError):
    """Transaction reference is invalid"""

    # Paystack's answer to an unknown reference of a pending charge.
    code = "transaction_not_found"


class BelowTransferMinimum(ApiError):
    """The minimum of a bank transfer is NGN 100"""

    code = "invalid_amount"
