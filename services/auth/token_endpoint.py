"""POST /auth/token: a form in, a token or an error of RFC 6749 section 5.2 out, never cached. POST /auth/revoke: log out."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from prometheus_client import Counter
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from kit.errors import Unavailable, problem_responses
from services.auth import clients, grants, refresh
from services.auth.db import Transaction
from services.auth.errors import (
    InvalidClient,
    InvalidRequest,
    OAuthError,
    TooBusy,
    UnauthorizedClient,
    UnsupportedGrantType,
)
from services.auth.schemas import PASSWORD_BYTES, OAuthErrorAnswer, TokenAnswer
from services.auth.tokens import PUBLIC_CLIENT

ERROR: dict[str, Any] = {
    "model": OAuthErrorAnswer,
    "description": "400, or 401 for a client that is not known: RFC 6749 section 5.2",
}
NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
GRANTS = ("password", "refresh_token", "client_credentials")
tokens_total = Counter("auth_token_requests_total", "Token requests by grant and result", ["grant", "result"])


def refused(error: OAuthError) -> Response:
    body = OAuthErrorAnswer(error=error.error, error_description=error.description)
    return JSONResponse(body.model_dump(), error.status, headers={**error.headers, **NO_STORE})


class TokenRoute(APIRoute):
    """What is wrong with the form is an `invalid_request` too."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                first = error.errors()[0]
                wrong: OAuthError = InvalidRequest(f"{first['loc'][-1]}: {first['msg']}")
            except HTTPException as error:
                wrong = InvalidRequest(str(error.detail))
            except OAuthError as error:
                wrong = error
            tokens_total.labels("refused", wrong.error).inc()
            return refused(wrong)

        return handler


async def each_once(request: Request) -> None:
    """RFC 6749 section 3.2: no parameter twice."""
    form = await request.form()
    if len(form.multi_items()) != len(form):
        raise InvalidRequest("A parameter is repeated.")


async def client_of(
    request: Request,
    client_id: Annotated[str | None, Form(max_length=200)] = None,
    client_secret: Annotated[str | None, Form(max_length=200)] = None,
) -> tuple[str, str] | None:
    """Name and secret of a client that says who it is, in the header or in the form; None for the public one."""
    name, secret = client_id or "", client_secret or ""
    header = request.headers.get("authorization", "")
    if header[:6].lower() == "basic ":
        if secret:
            raise InvalidRequest("The client authenticates in two ways at once.")
        name, secret = clients.from_basic(header)
    if not secret and name in {"", PUBLIC_CLIENT}:
        return None
    return name, secret


router = APIRouter(tags=["tokens"], route_class=TokenRoute)


@router.post(
    "/auth/token",
    response_model=TokenAnswer,
    response_model_exclude_none=True,
    dependencies=[Depends(each_once)],
    responses={
        "4XX": ERROR,
        429: {"model": OAuthErrorAnswer, "description": "Too many failed logins; Retry-After says how long to wait"},
        **problem_responses(TooBusy, Unavailable),
    },
)
async def token(
    response: Response,
    client: Annotated[tuple[str, str] | None, Depends(client_of)],
    grant_type: Annotated[str, Form(max_length=100, description=", ".join(GRANTS), examples=["password"])],
    username: Annotated[
        str | None, Form(max_length=320, description="password: the e-mail address", examples=["ada@example.com"])
    ] = None,
    password: Annotated[
        str | None, Form(max_length=PASSWORD_BYTES, description="password", examples=["a gate of nine hinges"])
    ] = None,
    refresh_token: Annotated[
        str | None, Form(max_length=200, description="refresh_token: the one of the answer before, good for one use")
    ] = None,
    scope: Annotated[
        str | None, Form(max_length=1000, description="Less than all that may be granted, space-separated")
    ] = None,
) -> TokenAnswer:
    """Log in, log in again with a refresh token, or get a client's own token."""
    response.headers.update(NO_STORE)
    match grant_type:
        case "password":
            _public(client)
            if username is None or password is None:
                raise InvalidRequest("password needs username and password.")
            answer = await grants.password(username, password, scope)
        case "refresh_token":
            _public(client)
            if refresh_token is None:
                raise InvalidRequest("refresh_token is missing.")
            answer = await grants.refreshed(refresh_token, scope)
        case "client_credentials":
            if client is None:
                raise InvalidClient
            answer = await grants.client_credentials(*client, scope)
        case _:
            raise UnsupportedGrantType
    tokens_total.labels(grant_type, "granted").inc()
    return answer


@router.post(
    "/auth/revoke",
    dependencies=[Depends(each_once)],
    responses={"4XX": ERROR, **problem_responses(Unavailable)},
)
async def revoke(
    session: Transaction,
    token: Annotated[str, Form(max_length=8192, description="The refresh token; an access token just expires")],
    token_type_hint: Annotated[str | None, Form(max_length=100)] = None,
) -> None:
    """Log out (RFC 7009). The answer is the same for a token that is good, over or none at all."""
    await refresh.end(session, token)


def _public(client: tuple[str, str] | None) -> None:
    if client is not None:
        raise UnauthorizedClient
