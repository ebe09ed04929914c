"""Error responses: RFC 9457 problem+json with a stable `code`, so that clients can act on every error."""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar, TypeVar

import asyncpg
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from kit.db.errors import is_bad_value, is_contention, may_succeed_later
from kit.log_throttling import log_failure
from kit.validation_errors import MAX_ERRORS, describe, field_error

F = TypeVar("F", bound=Callable[..., Any])
MEDIA_TYPE = "application/problem+json"
MemberTypes = Mapping[str, type]
"""The names of the additional members of a problem, and the types of their values."""
log = structlog.get_logger()


class Problem(Exception):
    """An error that is sent to the client. Each subclass is one kind of error.

    The code is the name of the subclass in snake case (`OutOfStock`: `out_of_stock`). The default `detail` is the first line of its
    docstring. Additional keyword arguments become members of the response; `members` declares their types for OpenAPI.
    """

    status: ClassVar[int] = 400
    code: ClassVar[str] = "problem"
    members: ClassVar[MemberTypes] = {}

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
    """The access token does not have the scope that this request requires. Use a token that has it."""

    status = 403


class BadRequest(Problem):
    """The request body cannot be parsed. Check its encoding."""

    status = 400


class NotFound(Problem):
    """There is nothing at this path. Check the URL."""

    status = 404


class MethodNotAllowed(Problem):
    """This path does not have this method. The header `Allow` lists its methods."""

    status = 405


class BodyTooLarge(Problem):
    """The request body is too large. Send less data in one request."""

    status = 413


class BodyTooSlow(Problem):
    """The request body did not arrive in time. Send the request again."""

    status = 408


class UnsupportedMediaType(Problem):
    """The request body does not have the Content-Type that this request requires."""

    status = 415


class InvalidRequest(Problem):
    """A field or a parameter is missing, unknown or invalid. `errors` lists each of them; `detail` is about the first one."""

    status = 422


class InvalidValue(Problem):
    """A value in the request is out of range or contains characters that cannot be stored."""

    status = 422


TITLES = {
    400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 408: "Request Timeout",
    409: "Conflict", 412: "Precondition Failed", 413: "Content Too Large", 415: "Unsupported Media Type", 422: "Unprocessable Content",
    428: "Precondition Required", 429: "Too Many Requests",
    431: "Request Header Fields Too Large", 500: "Internal Server Error", 502: "Bad Gateway",
    503: "Service Unavailable", 504: "Gateway Timeout",
}  # fmt: skip


def problem_response(
    status: int, code: str, detail: str, *, headers: Mapping[str, str] | None = None, **extra: Any
) -> Response:
    """Return a problem+json response. Its `request_id` is also in the log messages of the request."""
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    # The detail may quote a text of another system, with characters that UTF-8 cannot encode (lone surrogates).
    detail = detail.encode("utf-8", "replace").decode()
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
    first, *further = error.errors()[:MAX_ERRORS]
    problem = InvalidRequest(describe(first), errors=[field_error(each).model_dump() for each in (first, *further)])
    return problem_response(problem.status, problem.code, problem.detail, **problem.extra)


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    title = TITLES.get(error.status_code, "Error")
    code, detail, headers = title.lower().replace(" ", "_"), str(error.detail)[:500], error.headers
    for problem in (BadRequest, NotFound, MethodNotAllowed):
        if problem.status == error.status_code:
            detail = problem.default_detail()
    if error.status_code == MethodNotAllowed.status:
        headers = {"Allow": ", ".join(_methods_of_path(request))}
    return problem_response(error.status_code, code, detail, headers=headers)


def _methods_of_path(request: Request) -> list[str]:
    """Return the methods of all routes that match the path of the request. Starlette names only those of the first."""
    methods: set[str] = set()
    for route in iter_route_contexts(request.app.routes):
        if route.path_regex.match(request.scope["path"]):
            methods |= route.methods or set()
    return sorted(methods | {"HEAD"} if "GET" in methods else methods)


async def _on_database_error(_: Request, error: Exception) -> Response:
    if may_succeed_later(error):
        log_failure(log.warning, "database contention" if is_contention(error) else "database unavailable", error)
        return problem_response(503, Unavailable.code, Unavailable.default_detail())
    if is_bad_value(error):
        return problem_response(InvalidValue.status, InvalidValue.code, InvalidValue.default_detail())
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
    """Return the response to an error of an UnparsedRoute. Raises the error if it has no handler."""
    for kind in type(error).__mro__:
        if kind in ERROR_HANDLERS:
            return await ERROR_HANDLERS[kind](request, error)
    raise error


def raises(*problems: type[Problem]) -> Callable[[F], F]:
    """Declare the problems that a dependency raises. Every route with this dependency then has them in its OpenAPI document."""

    def declare(dependency: F) -> F:
        _declared[dependency] = problems
        return dependency

    return declare


_declared: dict[Callable[..., Any], tuple[type[Problem], ...]] = {}


def declared_problems(dependency: Callable[..., Any]) -> tuple[type[Problem], ...]:
    """Return the problems that a dependency was declared to raise."""
    return _declared.get(dependency, ())
