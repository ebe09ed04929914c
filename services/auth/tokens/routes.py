"""The token endpoint (RFC 6749) and the revocation endpoint (RFC 7009)."""

from typing import Annotated

from fastapi import Depends, Form, Request, Response

from kit.http.routing import Router
from kit.problem_responses import problem_responses
from services.auth.accounts.password_hashing import PasswordHasher
from services.auth.clients.authentication import (
    ClientCredentials,
    SentCredentials,
    authenticate_client,
    sent_credentials,
)
from services.auth.db import DatabaseTransaction, db_sessions, engine, reading_db_sessions
from services.auth.errors import (
    InvalidClient,
    InvalidGrant,
    InvalidRequest,
    InvalidScope,
    MailCodeRequired,
    TooBusy,
    TooManyFailedLogins,
    UnauthorizedClient,
    UnsupportedGrantType,
)
from services.auth.keys.key_ring import KeyRing
from services.auth.metrics import token_requests_total
from services.auth.sessions.details import details_of
from services.auth.settings import settings
from services.auth.throttling import devices
from services.auth.throttling.devices import DEVICE_COOKIE
from services.auth.throttling.refusal_delay import RefusalDelay
from services.auth.throttling.remembered_refusals import RememberedRefusals
from services.auth.throttling.request_source import source_of
from services.auth.tokens import grants
from services.auth.tokens.access_tokens import sign_access_token
from services.auth.tokens.forms import TokenForm
from services.auth.tokens.login_log import observe_login
from services.auth.tokens.oauth_route import (
    NO_STORE,
    OAuthFormRoute,
    OAuthRoute,
    form_body,
    oauth_responses,
    read_form,
    refuse_repeated_parameters,
)
from services.auth.tokens.revocation import revoke
from services.auth.tokens.schemas import GrantType, TokenResponse

router = Router(tags=["tokens"], route_class=OAuthRoute)
token_router = Router(tags=["tokens"], route_class=OAuthFormRoute)
_LIKE_FORM = {"description": "The same as the form parameter `device_token`"}
_DEVICE_COOKIE = {
    "name": DEVICE_COOKIE,
    "in": "cookie",
    "required": False,
    "schema": {"anyOf": [{"type": "string"}, {"type": "null"}], "title": "Device Token", **_LIKE_FORM},
    **_LIKE_FORM,
}


@token_router.post(
    "/auth/token",
    summary="Get an access token",
    openapi_extra={**form_body(TokenForm), "parameters": [_DEVICE_COOKIE]},
    response_model=TokenResponse,
    response_model_exclude_none=True,
    responses={
        **oauth_responses(
            InvalidRequest,
            InvalidClient,
            InvalidGrant,
            UnauthorizedClient,
            UnsupportedGrantType,
            InvalidScope,
            TooManyFailedLogins,
            MailCodeRequired,
        ),
        **problem_responses(TooBusy),
    },
)
async def get_access_token(request: Request) -> Response:
    """Log in with a password or a mail code, use a refresh token, or get an access token for a program.

    A public client, an app with which people log in, sends its `client_id` and no secret; without a `client_id`, it is the public client
    `shop`. A login returns an access token and a refresh token. A refresh token can be used once. If the response is lost, send the same
    token again within 10 seconds: it returns the same next token. Using it later, or using an older token, ends the session, and the
    customer must log in again.

    A login also returns a device token, which is valid for 90 days after the last login. Send it with the next login on this device: failed
    logins on other devices, even with this user name or from this IP address, then do not delay it.

    After 100 failed logins in a row with a user name on unknown devices, logins with a password on unknown devices get 403
    `mail_code_required`. The owner then logs in with a code from a mail (POST /auth/email/code), resets the password (POST
    /auth/password/forgot), or logs in on a known device. Each of these ends the refusals.
    """
    form = await read_form(request, TokenForm)
    contents = await _get_contents(request, form)
    key_ring: KeyRing = request.state.key_ring
    access_token = sign_access_token(
        await key_ring.signing_key(),
        contents.subject,
        client_id=contents.client_id,
        scope=contents.scope,
        sid=contents.sid,
        email=contents.email,
        email_verified=contents.email_verified,
        name=contents.name,
    )
    token_requests_total.labels(form.grant_type, "granted").inc()
    answer = TokenResponse(
        access_token=access_token,
        expires_in=settings.auth_access_token_seconds,
        refresh_token=contents.refresh_token,
        scope=contents.scope,
        device_token=contents.device_token,
    )
    response = Response(answer.model_dump_json(exclude_none=True), headers=NO_STORE, media_type="application/json")
    if contents.device_token is not None:
        devices.set_cookie(response, contents.device_token)
    return response


async def _get_contents(request: Request, form: TokenForm) -> grants.TokenContents:
    """Return the contents of the requested token. Reads objects such as the hasher from `request.state`: a dependency for each would
    take longer.
    """
    client = sent_credentials(request, form.client_id, form.client_secret)
    match form.grant_type:
        case GrantType.PASSWORD:
            return await _log_in(request, form, client)
        case GrantType.MAIL_CODE:
            return await _log_in_with_code(request, form, client)
        case GrantType.REFRESH_TOKEN:
            if form.refresh_token is None:
                raise InvalidRequest("The grant type refresh_token needs refresh_token.")
            key, details = request.state.refresh_token_key, await details_of(request)
            return await grants.refresh(engine, db_sessions, key, client, form.refresh_token, form.scope, details)
        case GrantType.CLIENT_CREDENTIALS:
            if client is None:
                raise InvalidClient
            async with db_sessions.begin() as db:
                return await grants.authorize_client(db, client, form.scope)
        case _:
            raise UnsupportedGrantType


async def _log_in(request: Request, form: TokenForm, client: ClientCredentials | None) -> grants.TokenContents:
    if form.username is None or form.password is None:
        raise InvalidRequest("The grant type password needs username and password.")
    source, details = await source_of(request), await details_of(request)
    device_token = form.device_token or request.cookies.get(DEVICE_COOKIE)
    login = grants.PasswordLogin(form.username, form.password, form.scope, device_token, client, source, details)
    hasher: PasswordHasher = request.state.password_hasher
    refusals: RememberedRefusals = request.state.remembered_refusals
    refusal_delay: RefusalDelay = request.state.refusal_delay
    async with refusal_delay.request_of(source.limit_address):
        return await observe_login(
            grants.log_in(db_sessions, reading_db_sessions, hasher, refusals, login),
            method="password",
            address=details.address,
            refresh_token_key=request.state.refresh_token_key,
            username=form.username,
        )


async def _log_in_with_code(
    request: Request, form: TokenForm, client: ClientCredentials | None
) -> grants.TokenContents:
    if form.challenge is None or form.code is None:
        raise InvalidRequest(f"The grant type {GrantType.MAIL_CODE} needs challenge and code.")
    source, details = await source_of(request), await details_of(request)
    login = grants.CodeLogin(form.challenge, form.code.strip(), form.scope, client, source, details)
    return await observe_login(
        grants.log_in_with_code(db_sessions, request.state.remembered_refusals, login),
        method="mail_code",
        address=details.address,
        refresh_token_key=request.state.refresh_token_key,
    )


@router.post(
    "/auth/revoke",
    summary="Log out, or revoke a token",
    dependencies=[Depends(refuse_repeated_parameters)],
    responses=oauth_responses(InvalidRequest, InvalidClient, InvalidGrant),
)
async def revoke_token(
    db: DatabaseTransaction,
    request: Request,
    client: SentCredentials,
    token: Annotated[str | None, Form(max_length=8192, description="A refresh token or an access token")] = None,
    token_type_hint: Annotated[str | None, Form(max_length=100, description="Ignored (RFC 7009 section 2.1)")] = None,
) -> None:
    """Log out: end the session to which this token belongs, with all its refresh tokens (RFC 7009).

    Every service refuses its access tokens within ten seconds. An invalid token is also answered with 200. A client that names itself can
    only revoke its own tokens. An access token of a program belongs to no session: only this token is revoked.
    """
    if token is None:
        if "token" not in await request.form():  # FastAPI reads an empty parameter as absent
            raise InvalidRequest("token: missing")
        return
    sending_client_id = None if client is None else (await authenticate_client(db, client)).id
    await revoke(db, request.state.verifier, token, sending_client_id)
