"""Errors in Paystack's envelope: {status: false, message, meta?, type, code?}. A class's docstring is the message of the response."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from inspect import getdoc
from typing import Any, ClassVar

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from sandbox.responses import ApiResponse


class ApiError(Exception):
    """An error occurred"""

    status: ClassVar[int] = 400
    error_type: ClassVar[str] = "validation_error"
    code: ClassVar[str | None] = None
    next_step: ClassVar[str | None] = None

    def __init__(self, message: str | None = None, headers: Mapping[str, str] | None = None) -> None:
        self.message = message or getdoc(type(self)) or ""
        self.headers = headers
        super().__init__(self.message)

    def response(self) -> ApiResponse:
        return error_response(self.status, self.message, self.error_type, self.code, self.next_step, self.headers)


class InvalidKey(ApiError):
    """Invalid key"""

    status = 401
    code = "invalid_Key"
    next_step = "Send the secret key of this integration as a bearer token"


class DuplicateReference(ApiError):
    """Duplicate Transaction Reference"""

    code = "duplicate_reference"
    next_step = "Start the transaction again with a reference that was never used"


class EmailMissing(ApiError):
    """Email Address is required"""

    code = "missing_params"
    next_step = "Provide all required params"


class AmountMissing(ApiError):
    """Amount is required"""

    code = "missing_params"
    next_step = "Provide all required params"


class InvalidEmail(ApiError):
    """Invalid Email Address Passed"""

    code = "invalid_email_address"


class AmountNotInteger(ApiError):
    """\"amount\" must be an integer"""

    code = "invalid_amount"


class InvalidAmount(ApiError):
    """Invalid Amount Sent"""

    code = "invalid_amount"


class CurrencyNotSupported(ApiError):
    """Currency not supported by merchant"""

    code = "unsupported_currency"


class InvalidParams(ApiError):
    """The request is invalid"""

    code = "invalid_params"


class ReferenceNotFound(ApiError):
    """Transaction reference not found."""

    # Paystack's specification says 404, but its test API answered 400 and 404. Callers must check the code, not the status.
    code = "transaction_not_found"
    next_step = "Check that the reference belongs to a transaction of this integration"


class TransactionNotFound(ApiError):
    """Transaction not found"""

    # Paystack's answer to an unknown id of a transaction.
    status = 404


class TimelineNotFound(ApiError):
    """Transaction ID or reference is invalid"""

    status = 404


class RateLimited(ApiError):
    """Rate limit exceeded!"""

    status = 429
    error_type = "api_error"
    code = "rate_limited"
    next_step = "Wait a few minutes before the next call"


class ServerError(ApiError):
    """An error occurred"""

    status = 500
    error_type = "api_error"
    code = "unknown"


class ControlReferenceNotFound(ApiError):
    """No transaction has this reference"""

    # The answer of the control routes and of the checkout page, not of Paystack's API.
    status = 404
    code = "transaction_not_found"


class AlreadyPaid(ApiError):
    """This transaction is already paid. Initialize a new transaction to pay again."""

    status = 409
    code = "already_paid"


class SessionExpired(ApiError):
    """The payment session of this transaction is over. Initialize a new transaction to pay."""

    status = 409
    code = "session_expired"


class NoWebhookUrl(ApiError):
    """No webhook URL is configured. Set SANDBOX_WEBHOOK_URL and restart the sandbox."""

    status = 409
    code = "no_webhook_url"


def error_response(
    status: int,
    message: str,
    error_type: str = "validation_error",
    code: str | None = None,
    next_step: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> ApiResponse:
    body: dict[str, Any] = {"status": False, "message": message}
    if next_step:
        body["meta"] = {"nextStep": next_step}
    body["type"] = error_type
    if code:
        body["code"] = code
    return ApiResponse(body, status, headers)


def _first_error(errors: Sequence[Any]) -> str:
    """Return the first validation error as `field: message`."""
    first = errors[0]
    field = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path"))
    return f"{field}: {first['msg']}" if field else str(first["msg"])


def install(app: FastAPI) -> None:
    """Register the exception handlers that answer in Paystack's envelope."""

    async def api_error(_: Request, error: Exception) -> ApiResponse:
        assert isinstance(error, ApiError)  # noqa: S101
        return error.response()

    async def validation_error(_: Request, error: Exception) -> ApiResponse:
        assert isinstance(error, RequestValidationError)  # noqa: S101
        return error_response(422, _first_error(error.errors()), code="invalid_params")

    async def http_error(request: Request, error: Exception) -> ApiResponse:
        assert isinstance(error, HTTPException)  # noqa: S101
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED and not request.url.path.startswith("/sandbox/"):
            # Paystack answers 404 if it has no call with this method and path. For example, POST /refund/1 is no call
            # of Paystack, but its path matches GET /refund/{id}, so the framework would answer 405.
            return error_response(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND.phrase)
        message = error.detail or HTTPStatus(error.status_code).phrase
        return error_response(error.status_code, message, headers=error.headers)

    async def unexpected_error(_: Request, error: Exception) -> ApiResponse:
        return ServerError().response()

    app.add_exception_handler(ApiError, api_error)
    app.add_exception_handler(RequestValidationError, validation_error)
    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(Exception, unexpected_error)
