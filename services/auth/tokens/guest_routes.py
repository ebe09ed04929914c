"""The routes of guests: begin, and merge into an account."""

from typing import Annotated

from fastapi import Depends, Response
from pydantic import Field

from kit.http.routing import Router
from kit.problem_responses import problem_responses
from kit.schemas import RequestModel, example
from services.auth.accounts import guests
from services.auth.clients.authentication import SentCredentials
from services.auth.db import DatabaseTransaction, db_sessions
from services.auth.errors import (
    AccountNeeded,
    GuestNotFound,
    GuestsNeedPublicClient,
    InvalidClient,
    InvalidRequest,
)
from services.auth.keys.key_ring import CurrentKeyRing
from services.auth.metrics import token_requests_total
from services.auth.models import Account
from services.auth.sessions.details import CurrentSessionDetails
from services.auth.sessions.routes import CurrentSession
from services.auth.settings import settings
from services.auth.throttling import address_limits
from services.auth.throttling.address_buckets import GUESTS
from services.auth.throttling.remembered_refusals import CurrentRefusals
from services.auth.throttling.request_source import CurrentRequestSource
from services.auth.tokens import grants
from services.auth.tokens.access_tokens import sign_access_token
from services.auth.tokens.oauth_route import NO_STORE, OAuthRoute, oauth_responses, refuse_repeated_parameters
from services.auth.tokens.schemas import TokenResponse

oauth_router = Router(tags=["guests"], route_class=OAuthRoute)
router = Router(tags=["guests"])


@oauth_router.post(
    "/auth/guests",
    summary="Create a guest",
    status_code=201,
    response_model=TokenResponse,
    response_model_exclude_none=True,
    dependencies=[Depends(refuse_repeated_parameters)],
    responses=oauth_responses(InvalidRequest, InvalidClient, GuestsNeedPublicClient),
)
async def create_guest(
    response: Response,
    key_ring: CurrentKeyRing,
    details: CurrentSessionDetails,
    source: CurrentRequestSource,
    refusals: CurrentRefusals,
    client: SentCredentials,
) -> TokenResponse:
    """Create an account without an e-mail address. With the tokens of the response, a client can place orders and pay for them.

    The guest's session ends 24 hours after the last use of its refresh token. POST /auth/users with the access token gives the guest an
    e-mail address and a password, and it keeps its id and orders; POST /auth/guests/merge gives the orders to another account.
    """
    response.headers.update(NO_STORE)
    address_limits.check(refusals, GUESTS, source.limit_address)
    async with db_sessions.begin() as db:
        await address_limits.count(db, refusals, GUESTS, source.limit_address)
    contents = await grants.begin_as_guest(db_sessions, client, details)
    access_token = sign_access_token(
        await key_ring.signing_key(),
        contents.subject,
        client_id=contents.client_id,
        scope=contents.scope,
        sid=contents.sid,
    )
    token_requests_total.labels("guest", "granted").inc()
    return TokenResponse(
        access_token=access_token,
        expires_in=settings.auth_access_token_seconds,
        refresh_token=contents.refresh_token,
        scope=contents.scope,
    )


class MergeGuest(RequestModel):
    model_config = example({"refresh_token": "pX0Yd3Jm2kQv8sTzLw5n1A.x4Jt9wq0VgkXr3m1cUuQ7bYd2sLh5nZe8aPf6iKoRjE"})

    refresh_token: Annotated[str, Field(min_length=1, max_length=200)] = Field(
        description="The guest's newest refresh token, which shows that the guest is you"
    )


@router.post(
    "/auth/guests/merge",
    status_code=204,
    summary="Merge a guest into your account",
    responses=problem_responses(AccountNeeded, GuestNotFound),
)
async def merge_guest(merge: MergeGuest, current: CurrentSession, db: DatabaseTransaction) -> Response:
    """Give the orders, payments and saved cards of a guest to the account of the access token. The guest ends.

    The other services do this a moment later. Call it when a customer who has ordered as a guest logs in to an account.
    """
    account = await db.get_one(Account, current.account_id)
    if account.email is None:
        raise AccountNeeded(
            "This access token belongs to a guest. Log in to the account into which the guest is merged."
        )
    await guests.merge(db, merge.refresh_token, account.id)
    return Response(status_code=204)
