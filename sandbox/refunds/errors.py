from sandbox.errors import ApiError


class RefundTooLarge(ApiError):
    """Total refund amount cannot exceed original transaction amount"""

    code = "invalid_params"


class RefundTooSmall(ApiError):
    """Refund amount is below the minimum of its currency"""

    code = "invalid_params"


class CurrencyDiffers(ApiError):
    """Refund currency must match the currency of the transaction"""

    code = "invalid_params"


class InsufficientBalance(ApiError):
    """Simulated by the sandbox: your balance is too low for this refund"""

    code = "sandbox_insufficient_balance"


class NotPaid(ApiError):
    """Only a successful transaction can be refunded"""

    code = "invalid_params"


class TransactionMissing(ApiError):
    """Transaction is required"""

    code = "missing_params"
    next_step = "Provide all required params"


class RefundNotFound(ApiError):
    """Refund not found"""

    status = 404
    code = "not_found"


class RefundNotRetryable(ApiError):
    """Invalid Refund state, refund status should be \"needs-attention\""""

    status = 422
    code = "invalid_params"
    next_step = "Retry only refunds that need attention"


class RefundFinished(ApiError):
    """This refund is already processed or failed and cannot be changed. Create another refund."""

    status = 409
    code = "refund_finished"
