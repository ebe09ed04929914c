"""Error responses of RFC 6749, for the token endpoint, the revocation endpoint and POST /auth/guests."""

from collections.abc import Iterator
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from kit.errors import TITLES, BadRequest, Problem
from kit.http.routing import FORM, Handler, Route
from kit.problem_responses import Responses, narrowed
from kit.validation_errors import describe
from services.auth.errors import InvalidRequest, OAuthError
from services.auth.metrics import token_requests_total
from services.auth.tokens.schemas import OAuthErrorResponse

NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
"""No response with a token may be cached (RFC 6749 section 5.1)."""

MAX_FIELDS = 1000
REPEATED = "Send each parameter once."


def oauth_responses(*errors: type[OAuthError]) -> Responses:
    """Return the OpenAPI responses for the errors that an endpoint raises: one schema for each status, with the codes that can occur."""
    responses: Responses = {}
    for error in errors:
        response = responses.setdefault(error.status, {"description": f"{TITLES[error.status]}\n"})
        content = response.setdefault("content", {})
        if "application/json" not in content:
            content["application/json"] = {"schema": narrowed(OAuthErrorResponse, "error", [])}
        content["application/json"]["schema"]["allOf"][1]["properties"]["error"]["enum"].append(error.error)
        response["description"] += f"\n- `{error.error}`: {error.default_description()}"
    return responses


class OAuthRoute(Route):
    """Answers an OAuthError or a malformed form (`invalid_request`) with an error response of RFC 6749 section 5.2."""

    def problems(self) -> Iterator[type[Problem]]:
        """Yield the errors that every request to this route can get, except BadRequest, which is answered as `invalid_request`."""
        return (problem for problem in super().problems() if problem is not BadRequest)

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                refusal: OAuthError = InvalidRequest(describe(error.errors()[0]))
            except HTTPException as error:
                refusal = InvalidRequest(str(error.detail))
            except OAuthError as error:
                refusal = error
            token_requests_total.labels("refused", refusal.error).inc()
            return _error_response(refusal)

        return handler


class OAuthFormRoute(OAuthRoute):
    """An OAuthRoute whose endpoint takes only the request and reads the form with `read_form`, in less time than FastAPI."""

    reads_form = True


F = TypeVar("F", bound=BaseModel)


def form_body(form: type[BaseModel]) -> dict[str, Any]:
    """Return the OpenAPI request body of a form, for `openapi_extra`. Its fields must be simple."""
    return {"requestBody": {"content": {FORM: {"schema": form.model_json_schema()}}, "required": True}}


async def read_form(request: Request, form: type[F]) -> F:
    """Return the form of a request. Raises InvalidRequest, also if a parameter is repeated (RFC 6749 section 3.2).

    An empty parameter counts as absent (RFC 6749 section 3.1). FastAPI needs longer to read a form than the rest of a refresh takes.
    """
    try:
        sent = parse_qsl((await request.body()).decode("latin-1"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise InvalidRequest("There are too many parameters.") from error
    found = dict(sent)
    if len(found) != len(sent):
        raise InvalidRequest(REPEATED)
    try:
        return form.model_validate({name: value for name, value in found.items() if value})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise InvalidRequest(describe({**first, "loc": ("body", *first["loc"])})) from error


def _error_response(error: OAuthError) -> Response:
    body = OAuthErrorResponse(error=error.error, error_description=error.description)
    return JSONResponse(body.model_dump(), error.status, headers={**error.headers, **NO_STORE})


async def refuse_repeated_parameters(request: Request) -> None:
    """Raise InvalidRequest if a form parameter is repeated (RFC 6749 section 3.2). For `Depends`."""
    form = await request.form()
    if len(form.multi_items()) != len(form):
        raise InvalidRequest(REPEATED)
