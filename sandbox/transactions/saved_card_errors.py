from sandbox.errors import ApiError


class CardNotFound(ApiError):
    """Authorization code not found."""

    status = 404
    code = "not_found"


class CardNotUsable(ApiError):
    """Authorization code is not one that can be charged"""

    code = "invalid_params"
    next_step = "Send the authorization_code of an active authorization whose reusable is true"


class EmailDiffers(ApiError):
    """Email does not match the authorization code"""

    code = "invalid_params"
    next_step = "Send the email of the payment that created the authorization"


class PartialDebitNotSupported(ApiError):
    """Partial debit is not supported for this currency"""

    code = "unsupported_currency"
