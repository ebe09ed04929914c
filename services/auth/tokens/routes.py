"""The token endpoint (RFC 6749) and the revocation endpoint (RFC 7009)."""

from typing import Annotated

from fastapi import Cookie, Depends, Form, Request, Response

from kit.http.routing import Router
from kit.problem_responses import problem_responses
from services.auth.accounts.password_hashing import CurrentPasswordHasher
from services.auth.accounts.password_rules import MAX_BYTES
from services.auth.clients.authentication import SentCredentials, authenticate_client
from services.auth.db import Transaction, reading_sessions, sessions
from services.auth.email_addresses import MAX_LENGTH
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
from services.auth.keys.key_ring import CurrentKeyRing
from services.auth.metrics import token_requests_total
from services.auth.sessions.origin import CurrentOrigin
from services.auth.settings import settings
from services.auth.throttling import devices
from services.auth.throttling.devices import DEVICE_COOKIE
from services.auth.throttling.refusal_delay import CurrentRefusalDelay
from services.auth.throttling.remembered_refusals import CurrentRefusals
from services.auth.throttling.request_source import CurrentRequestSource
from services.auth.tokens import grants
from services.auth.tokens.access_tokens import sign_access_token
from services.auth.tokens.login_log import observe_login
from services.auth.tokens.oauth_route import NO_STORE, OAuthRoute, oauth_responses, refuse_repeated_parameters
from services.auth.tokens.revocation import revoke
from services.auth.tokens.schemas import GrantType, TokenResponse

router = Router(tags=["tokens"], route_class=OAuthRoute)


async def _refresh_secret(request: Request) -> bytes:
    secret: bytes = request.state.refresh_secret
    return secret


RefreshSecret = Annotated[bytes, Depends(_refresh_secret)]


@router.post(
    "/auth/token",
    summary="Get an access token",
    response_model=TokenResponse,
    response_model_exclude_none=True,
    dependencies=[Depends(refuse_repeated_parameters)],
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
async def get_access_token(
    response: Response,
    key_ring: CurrentKeyRing,
    hasher: CurrentPasswordHasher,
    refresh_secret: RefreshSecret,
    origin: CurrentOrigin,
    source: CurrentRequestSource,
    refusals: CurrentRefusals,
    refusal_delay: CurrentRefusalDelay,
    client: SentCredentials,
    grant_type: Annotated[str, Form(max_length=100, description=", ".join(GrantType), examples=["password"])],
    username: Annotated[
        str | None,
        Form(
            max_length=MAX_LENGTH,
            description="For grant_type=password: the e-mail address",
            examples=["ada@example.com"],
        ),
    ] = None,
    password: Annotated[
        str | None,
        Form(max_length=MAX_BYTES, description="For grant_type=password", examples=["a gate of nine hinges"]),
    ] = None,
    refresh_token: Annotated[
        str | None,
        Form(max_length=200, description="For grant_type=refresh_token: the refresh token of the latest response"),
    ] = None,
    challenge: Annotated[
        str | None,
        Form(max_length=100, description="For a login with a code: the `challenge` of POST /auth/email/code"),
    ] = None,
    code: Annotated[
        str | None, Form(max_length=20, description="For a login with a code: the six digits in the mail")
    ] = None,
    scope: Annotated[
        str | None,
        Form(max_length=1000, description="Requested scopes, space-separated. Default: all scopes that can be granted"),
    ] = None,
    device_token: Annotated[
        str | None,
        Form(
            max_length=200,
            description="For grant_type=password: the `device_token` of an earlier login to this account on this device."
            " Browsers send it as a cookie instead",
        ),
    ] = None,
    device_cookie: Annotated[
        str | None, Cookie(alias=DEVICE_COOKIE, description="As the form parameter `device_token`")
    ] = None,
) -> TokenResponse:
    """Log in with a password, use a refresh token, or get an access token for an OAuth client.

    An app with which people log in sends its `client_id` and no secret; without a `client_id`, it is the app `shop`. A login returns an
    access token and a refresh token. A refresh token can be used once. If the response is lost, send the same token again within 10
    seconds: it returns the same next token. Using it later, or using an older token, revokes all refresh tokens of the login, and the
    customer must log in again.

    A login also returns a device token, which is valid for 90 days after the last login. Send it with the next login on this device: failed
    logins elsewhere, with this user name or from this network, then do not delay it.

    After 100 failed logins in a row with a user name on unknown devices, `mail_code_required`: on these devices, the owner logs in with a
    code from a mail (POST /auth/email/code), or resets the password (POST /auth/password/forgot). That ends it, and so does a login on a
    known device.
    """
    response.headers.update(NO_STORE)
    match grant_type:
        case GrantType.PASSWORD:
            if username is None or password is None:
                raise InvalidRequest("The grant type password needs username and password.")
            known = device_token or device_cookie
            login = grants.PasswordLogin(username, password, scope, known, client, source, origin)
            async with refusal_delay.request_of(source.address):
                grant = await observe_login(
                    grants.log_in(sessions, reading_sessions, hasher, refusals, login),
                    method="password",
                    address=origin.address,
                    secret=refresh_secret,
                    username=username,
                )
        case GrantType.MAIL_CODE:
            if challenge is None or code is None:
                raise InvalidRequest("This grant type needs challenge and code.")
            with_code = grants.CodeLogin(challenge, code.strip(), scope, client, source, origin)
            grant = await observe_login(
                grants.log_in_with_code(sessions, refusals, with_code),
                method="mail_code",
                address=origin.address,
                secret=refresh_secret,
            )
        case GrantType.REFRESH_TOKEN:
            if refresh_token is None:
                raise InvalidRequest("The grant type refresh_token needs refresh_token.")
            grant = await grants.refresh(sessions, refresh_secret, client, refresh_token, scope, origin)
        case GrantType.CLIENT_CREDENTIALS:
            if client is None:
                raise InvalidClient
            async with sessions.begin() as session:
                grant = await grants.authorize_client(session, client, scope)
        case _:
            raise UnsupportedGrantType
    key = await key_ring.signing_key()
    access_token = sign_access_token(
        key,
        grant.subject,
        client_id=grant.client_id,
        scope=grant.scope,
        sid=grant.sid,
        email=grant.email,
        email_verified=grant.email_verified,
        name=grant.name,
    )
    if grant.device_token is not None:
        devices.set_cookie(response, grant.device_token)
    token_requests_total.labels(grant_type, "granted").inc()
    return TokenResponse(
        access_token=access_token,
        expires_in=settings.auth_access_token_seconds,
        refresh_token=grant.refresh_token,
        scope=grant.scope,
        device_token=grant.device_token,
    )


@router.post(
    "/auth/revoke",
    summary="Revoke a token, which logs out",
    dependencies=[Depends(refuse_repeated_parameters)],
    responses=oauth_responses(InvalidRequest, InvalidClient, InvalidGrant),
)
async def revoke_token(
    session: Transaction,
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
    owner = None if client is None else (await authenticate_client(session, client)).id
    await revoke(session, request.state.verifier, token, owner)
