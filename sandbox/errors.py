"""What is refused, in Paystack's own envelope: {status: false, message, meta?, type, code?}."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from inspect import getdoc
from typing import Any, ClassVar

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from sandbox.wire import Answer


class Refusal(Exception):
    """An error occurred"""

    status: ClassVar[int] = 400
    kind: ClassVar[str] = "validation_error"
    code: ClassVar[str | None] = None
    next_step: ClassVar[str | None] = None

    def __init__(self, message: str | None = None, headers: Mapping[str, str] | None = None) -> None:
        self.message = message or getdoc(type(self)) or ""
        self.headers = headers
        super().__init__(self.message)

    def response(self) -> Answer:
        return refusal(self.status, self.message, self.kind, self.code, self.next_step, self.headers)


class InvalidKey(Refusal):
    """Invalid key"""

    status = 401
    code = "invalid_Key"
    next_step = "Send the secret key of this integration as a bearer token"


class DuplicateReference(Refusal):
    """Duplicate Transaction Reference"""

    code = "duplicate_reference"
    next_step = "Start the transaction again with a reference that was never used"


class EmailMissing(Refusal):
    """Email Address is required"""

    code = "missing_params"
    next_step = "Provide all required params"


class AmountMissing(Refusal):
    """Amount is required"""

    code = "missing_params"
    next_step = "Provide all required params"


class InvalidEmail(Refusal):
    """Invalid Email Address Passed"""

    code = "invalid_email_address"


class AmountNotInteger(Refusal):
    """\"amount\" must be an integer"""

    code = "invalid_amount"


class InvalidAmount(Refusal):
    """Invalid Amount Sent"""

    code = "invalid_amount"


class CurrencyNotSupported(Refusal):
    """Currency not supported by merchant"""

    code = "unsupported_currency"


class InvalidParams(Refusal):
    """The request cannot be read"""

    code = "invalid_params"


class ReferenceNotFound(Refusal):
    """Transaction reference not found."""

    # Seen as 400 and as 404 on the test API, and 404 in the specification: callers decide on the code.
    code = "transaction_not_found"
    next_step = "Check that the reference belongs to a transaction of this integration"


class TransactionNotFound(Refusal):
    """Transaction not found"""

    status = 404


class NoTimeline(Refusal):
    """Transaction ID or reference is invalid"""

    status = 404


class RateLimited(Refusal):
    """Rate limit exceeded!"""

    status = 429
    kind = "api_error"
    code = "rate_limited"
    next_step = "Wait a few minutes before the next call"


class ServerError(Refusal):
    """An error occurred"""

    status = 500
    kind = "api_error"
    code = "unknown"


class UnknownReference(Refusal):
    """No transaction has this reference"""

    status = 404
    code = "transaction_not_found"


class AlreadyPaid(Refusal):
    """This transaction is paid already: nobody can pay it a second time"""

    status = 409
    code = "already_paid"


class NowhereToSend(Refusal):
    """SANDBOX_WEBHOOK_URL is not set: there is nowhere to send a webhook"""

    status = 409
    code = "no_webhook_url"


def refusal(
    status: int,
    message: str,
    kind: str = "validation_error",
    code: str | None = None,
    next_step: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    body: dict[str, Any] = {"status": False, "message": message}
    if next_step:
        body["meta"] = {"nextStep": next_step}
    body["type"] = kind
    if code:
        body["code"] = code
    return Answer(body, status, headers)


def _sentence(errors: Sequence[Any]) -> str:
    """The first thing wrong, as `field: what`."""
    first = errors[0]
    where = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path"))
    return f"{where}: {first['msg']}" if where else str(first["msg"])


def install(app: FastAPI) -> None:
    async def refused(_: Request, error: Exception) -> Answer:
        assert isinstance(error, Refusal)  # noqa: S101
        return error.response()

    async def unreadable(_: Request, error: Exception) -> Answer:
        assert isinstance(error, RequestValidationError)  # noqa: S101
        return refusal(422, _sentence(error.errors()), code="invalid_params")

    async def plain(request: Request, error: Exception) -> Answer:
        assert isinstance(error, HTTPException)  # noqa: S101
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED and not request.url.path.startswith("/sandbox/"):
            # Paystack routes by method and path at once: POST /transaction/partial_debit, which is not played here, is no
            # GET /transaction/{id} with the wrong method.
            return refusal(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND.phrase)
        message = error.detail or HTTPStatus(error.status_code).phrase
        return refusal(error.status_code, message, headers=error.headers)

    async def broken(_: Request, error: Exception) -> Answer:
        return ServerError().response()

    app.add_exception_handler(Refusal, refused)
    app.add_exception_handler(RequestValidationError, unreadable)
    app.add_exception_handler(HTTPException, plain)
    app.add_exception_handler(Exception, broken)
