from sandbox.errors import ApiError


class DisputeNotFound(ApiError):
    """Dispute not found"""

    status = 404
    code = "not_found"


class RefundAboveAmount(ApiError):
    """Refund amount cannot be greater than initial amount"""


class DisputeNotAwaitingMerchant(ApiError):
    """This dispute no longer waits for the merchant"""

    code = "invalid_params"


class NotDisputable(ApiError):
    """Only a paid transaction can be disputed, for at most the amount that was not refunded"""

    status = 409
    code = "nothing_to_dispute"


class AlreadyDisputed(ApiError):
    """This transaction already has an open dispute. Resolve it before you open another."""

    status = 409
    code = "already_disputed"


class DisputeAlreadyResolved(ApiError):
    """This dispute is already resolved and cannot be changed. Open another dispute."""

    status = 409
    code = "dispute_resolved"


class UploadRefused(ApiError):
    """The upload URL is invalid or has expired. Request a new one."""

    status = 403
