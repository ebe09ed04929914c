"""Error responses: RFC 9457 problem+json with a stable `code`, so that clients can act on every error."""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar

import asyncpg
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from kit.db.errors import is_bad_value, is_contention, may_succeed_later

MEDIA_TYPE = "application/problem+json"
log = structlog.get_logger()


class Problem(Exception):
    """An error that is sent to the client. Each subclass is one kind of error.

    The code is the name of the subclass in snake case (`OutOfStock`: `out_of_stock`). The default `detail` is the first line of its
    docstring. Additional keyword arguments become members of the response.
    """

    status: ClassVar[int] = 400
    code: ClassVar[str] = "problem"

    def __init_subclass__(cls) -> None:
        cls.code = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    def __init__(self, detail: str | None = None, *, headers: Mapping[str, str] | None = None, **extra: Any) -> None:
        self.detail = detail or self.default_detail()
        self.headers = dict(headers or {})
        self.extra = extra
        super().__init__(self.detail)

    def response(self) -> Response:
        """Return the response, for middleware. Routes raise the error."""
        return problem_response(self.status, self.code, self.detail, headers=self.headers, **self.extra)

    @classmethod
    def default_detail(cls) -> str:
        """Return the first line of the docstring, which is the `detail` unless the raiser gives another one."""
        return (cls.__doc__ or cls.__name__).strip().splitlines()[0]


class Unavailable(Problem):
    """A component that this request needs is unavailable: repeat the request in a moment, with the same Idempotency-Key if it has one."""

    status = 503


class NotAuthenticated(Problem):
    """This request requires a valid access token (header `Authorization: Bearer ...`). Get one from POST /auth/token."""

    status = 401


class NotAllowed(Problem):
    """The access token does not have the scope that this request requires."""

    status = 403


class BodyTooLarge(Problem):
    """The request body is too large."""

    status = 413


class BodyTooSlow(Problem):
    """The request body did not arrive in time. Send the request again."""

    status = 408


TITLES = {
    400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 408: "Request Timeout",
    409: "Conflict", 413: "Content Too Large", 415: "Unsupported Media Type", 422: "Unprocessable Content",
    429: "Too Many Requests", 431: "Request Header Fields Too Large", 500: "Internal Server Error", 502: "Bad Gateway",
    503: "Service Unavailable", 504: "Gateway Timeout",
}  # fmt: skip


def problem_response(
    status: int, code: str, detail: str, *, headers: Mapping[str, str] | None = None, **extra: Any
) -> Response:
    """Return a problem+json response. Its `request_id` is also in the log messages of the request."""
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    body = {
        "type": f"urn:problem-type:shop:{code}",
        "title": TITLES.get(status, "Error"),
        "status": status,
        "code": code,
        "detail": detail,
        "request_id": request_id,
        **extra,
    }
    if status == 503:
        headers = {"Retry-After": "1", **(headers or {})}
    return JSONResponse(body, status, headers=headers, media_type=MEDIA_TYPE)


async def _on_problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101 -- registered for Problem only
    headers = error.headers
    if isinstance(error, NotAuthenticated):
        headers = {"WWW-Authenticate": 'Bearer error="invalid_token"', **headers}
    return problem_response(error.status, error.code, error.detail, headers=headers, **error.extra)


async def _on_validation_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    # The response does not contain the invalid input: it may be a secret, and it may not be encodable in UTF-8.
    errors = [
        {
            "in": _encodable(".".join(str(part) for part in e["loc"]))[:200],
            "message": _encodable(e["msg"])[:500],
            "type": e["type"],
        }
        for e in error.errors()[:50]
    ]
    return problem_response(422, "invalid_request", _first_error(error), errors=errors)


def _first_error(error: RequestValidationError) -> str:
    """Return the first error as a sentence, such as `quantity: must be at least 1.`"""
    first = error.errors()[0]
    location = first["loc"][1:]  # the first item is "body", "query", ...
    if not location or first["type"] == "json_invalid":
        location = first["loc"][:1]
    field = _encodable(".".join(map(str, location)))[:200]
    return f"{field}: {_error_message(first)}."


VALIDATION_MESSAGES = {
    "missing": "is missing",
    "extra_forbidden": "is not a known field",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be greater than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    "string_too_short": "is too short (minimum length: {min_length})",
    "string_too_long": "is too long (maximum length: {max_length})",
    "too_short": "has too few items (minimum: {min_length})",
    "too_long": "has too many items (maximum: {max_length})",
    "int_type": "must be an integer",
    "int_parsing": "must be an integer",
    "int_from_float": "must be an integer",
    "string_type": "must be a string",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "uuid_type": "must be a UUID",
    "uuid_parsing": "must be a UUID",
    "literal_error": "must be one of {expected}",
    "enum": "must be one of {expected}",
    "json_invalid": "is not valid JSON",
}
"""Our messages by pydantic's error type. The other types have pydantic's message."""


def _error_message(error: Mapping[str, Any]) -> str:
    message_format = VALIDATION_MESSAGES.get(error["type"])
    if message_format is not None:
        return message_format.format_map(error.get("ctx", {}))[:500]
    if error["type"] == "value_error":  # raised by our own validators
        return _encodable(str(error["msg"]).removeprefix("Value error, "))[:500].rstrip(".")
    message = _encodable(str(error["msg"]))[:500].rstrip(".")
    return message[:1].lower() + message[1:]


def _encodable(value: str) -> str:
    """Replace the characters that UTF-8 cannot encode (lone surrogates)."""
    return value.encode("utf-8", "replace").decode()


async def _on_http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    title = TITLES.get(error.status_code, "Error")
    return problem_response(
        error.status_code, title.lower().replace(" ", "_"), str(error.detail)[:500], headers=error.headers
    )


async def _on_database_error(_: Request, error: Exception) -> Response:
    if may_succeed_later(error):
        log.warning(
            "database contention" if is_contention(error) else "database unavailable",
            error=type(error).__name__,
            reason=str(error).splitlines()[0][:200] if str(error) else "",
        )
        return problem_response(503, Unavailable.code, Unavailable.default_detail())
    if is_bad_value(error):
        return problem_response(
            422,
            "invalid_value",
            "A value in the request is out of range or contains characters that cannot be stored.",
        )
    raise error


ERROR_HANDLERS: dict[type[Exception], Callable[[Request, Exception], Awaitable[Response]]] = {
    Problem: _on_problem,
    RequestValidationError: _on_validation_error,
    HTTPException: _on_http_error,
    SQLAlchemyError: _on_database_error,
    asyncpg.PostgresError: _on_database_error,
    asyncpg.InterfaceError: _on_database_error,
    OSError: _on_database_error,
}
"""The handler of each class of errors. TimeoutError is an OSError. Other errors are answered with 500 by Telemetry."""


def install_error_handlers(app: FastAPI) -> None:
    """Make the app answer every error with problem+json."""
    for kind, handler in ERROR_HANDLERS.items():
        app.add_exception_handler(kind, handler)


async def error_response(request: Request, error: Exception) -> Response:
    """Return the response to an error of a route that is served before the app. Raises the error if it has no handler."""
    for kind in type(error).__mro__:
        if kind in ERROR_HANDLERS:
            return await ERROR_HANDLERS[kind](request, error)
    raise error


def problem_responses(*problems: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses for the errors of a route: `responses=problem_responses(OutOfStock, OrderNotFound)`."""
    found: dict[int | str, dict[str, Any]] = {}
    for kind in problems:
        entry = found.setdefault(
            kind.status, {"description": TITLES[kind.status], "content": {MEDIA_TYPE: {"examples": {}}}}
        )
        entry["content"][MEDIA_TYPE]["examples"][kind.code] = {
            "summary": kind.default_detail(),
            "value": {
                "type": f"urn:problem-type:shop:{kind.code}",
                "title": TITLES[kind.status],
                "status": kind.status,
                "code": kind.code,
                "detail": kind.default_detail(),
                "request_id": "0b5c7d2e9f6a4c1d8e3b7a9f5d2c1e4b",
            },
        }
    return found
