"""Every error is an answer that a client can act on: RFC 9457 problem+json with a stable `code`."""

import re
from collections.abc import Mapping
from typing import Any, ClassVar

import asyncpg
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from kit.db.errors import is_bad_value, is_unavailable

MEDIA_TYPE = "application/problem+json"
log = structlog.get_logger()


class Problem(Exception):
    """The request could not be carried out.

    A subclass is one fact. Its name gives the code (`OutOfStock`: `out_of_stock`), the first line of its docstring the sentence that the
    client reads, and `status` the HTTP status.
    """

    status: ClassVar[int] = 400
    code: ClassVar[str] = "problem"

    def __init_subclass__(cls) -> None:
        cls.code = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    def __init__(self, detail: str | None = None, *, headers: Mapping[str, str] | None = None, **extra: Any) -> None:
        self.detail = detail or self.sentence()
        self.headers = dict(headers or {})
        self.extra = extra
        super().__init__(self.detail)

    @classmethod
    def sentence(cls) -> str:
        return (cls.__doc__ or cls.__name__).strip().splitlines()[0]


class Unavailable(Problem):
    """Something that this needs is away for the moment; nothing was changed, try again."""

    status = 503


class NotAuthenticated(Problem):
    """A valid access token is needed (Authorization: Bearer ...)."""

    status = 401


class NotAllowed(Problem):
    """The access token does not carry the scope that this needs."""

    status = 403


class BodyTooLarge(Problem):
    """The body is larger than this service reads."""

    status = 413


class BodyTooSlow(Problem):
    """The body did not arrive in time."""

    status = 408


TITLES = {
    400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 408: "Request Timeout",
    409: "Conflict", 413: "Content Too Large", 415: "Unsupported Media Type", 422: "Unprocessable Content",
    429: "Too Many Requests", 500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable",
    504: "Gateway Timeout",
}  # fmt: skip


def problem_response(
    status: int, code: str, detail: str, *, headers: Mapping[str, str] | None = None, **extra: Any
) -> Response:
    """A problem+json answer. `request_id` ties it to the log."""
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
    # The input is not repeated: it may be a secret, and it may not even be encodable.
    errors = [
        {"in": ".".join(str(part) for part in e["loc"])[:200], "message": e["msg"][:500], "type": e["type"]}
        for e in error.errors()[:50]
    ]
    return problem_response(
        422,
        "invalid_request",
        "The request does not have the form that this needs; `errors` says where.",
        errors=_encodable(errors),
    )


def _encodable(value: list[dict[str, str]]) -> list[dict[str, str]]:
    return [{k: v.encode("utf-8", "replace").decode() for k, v in item.items()} for item in value]


async def _on_http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    title = TITLES.get(error.status_code, "Error")
    return problem_response(
        error.status_code, title.lower().replace(" ", "_"), str(error.detail)[:500], headers=error.headers
    )


async def _on_database_error(_: Request, error: Exception) -> Response:
    if is_unavailable(error):
        log.warning(
            "database unavailable",
            error=type(error).__name__,
            reason=str(error).splitlines()[0][:200] if str(error) else "",
        )
        return problem_response(503, Unavailable.code, Unavailable.sentence())
    if is_bad_value(error):
        return problem_response(422, "invalid_value", "A value is outside what can be stored.")
    raise error


def install_error_handlers(app: FastAPI) -> None:
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_error)
    for kind in (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
        app.add_exception_handler(kind, _on_database_error)


def problem_responses(*problems: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """The problems that a route may answer, for its OpenAPI: `responses=answers(OutOfStock, OrderNotFound)`."""
    found: dict[int | str, dict[str, Any]] = {}
    for kind in problems:
        entry = found.setdefault(
            kind.status, {"description": TITLES[kind.status], "content": {MEDIA_TYPE: {"examples": {}}}}
        )
        entry["content"][MEDIA_TYPE]["examples"][kind.code] = {
            "summary": kind.sentence(),
            "value": {
                "type": f"urn:problem-type:shop:{kind.code}",
                "title": TITLES[kind.status],
                "status": kind.status,
                "code": kind.code,
                "detail": kind.sentence(),
                "request_id": "0b5c7d2e9f6a4c1d8e3b7a9f5d2c1e4b",
            },
        }
    return found
