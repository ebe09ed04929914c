from sandbox.errors import Refusal


class RefundTooLarge(Refusal):
    """Total refund amount cannot exceed original transaction amount"""

    code = "invalid_params"


class RefundTooSmall(Refusal):
    """Refund amount is below the minimum of its currency"""

    code = "invalid_params"


class CurrencyDiffers(Refusal):
    """Refund currency must match the currency of the transaction"""

    code = "invalid_params"


class NotPaid(Refusal):
    """Only a successful transaction can be refunded"""

    code = "invalid_params"


class TransactionMissing(Refusal):
    """Transaction is required"""

    code = "missing_params"
    next_step = "Provide all required params"


class RefundNotFound(Refusal):
    """Refund not found"""

    status = 404
    code = "not_found"


class NothingToRetry(Refusal):
    """Invalid Refund state, refund status should be \"needs-attention\""""

    status = 422
    code = "invalid_params"
    next_step = "Retry only refunds that need attention"


class RefundIsOver(Refusal):
    """This refund has ended: nothing can become of it any more"""

    status = 409
    code = "refund_is_over"
