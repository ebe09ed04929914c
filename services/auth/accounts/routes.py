"""Registration, and the account of the caller."""

import asyncio
from typing import Annotated

from fastapi import Depends, Request, Response, Security
from fastapi.security import OAuth2PasswordBearer
from starlette.responses import JSONResponse

from kit.auth import Caller, authenticate, bearer_token
from kit.errors import NotAuthenticated, Unavailable, raises
from kit.http.routing import Router
from kit.problem_responses import problem_responses
from services.auth.accounts import guests, records, registrations
from services.auth.accounts.email_verification import send_verification
from services.auth.accounts.events import publish_change
from services.auth.accounts.hash_queue import Requester
from services.auth.accounts.password_hashing import CurrentPasswordHasher, PasswordHasher
from services.auth.accounts.password_rules import check_not_easy
from services.auth.accounts.records import AccountFacts
from services.auth.accounts.schemas import (
    AccountChange,
    AccountView,
    CurrentAccountView,
    Registration,
    RegistrationAccepted,
)
from services.auth.db import DatabaseTransaction, Reading, db_sessions
from services.auth.errors import AccountNeeded, EmailTaken, PasswordTooEasy, TooBusy, TooManyMails
from services.auth.mail.waiting import mail_is_configured
from services.auth.models import Account
from services.auth.settings import RegistrationMode, settings
from services.auth.throttling import address_limits
from services.auth.throttling.address_buckets import REGISTRATIONS
from services.auth.throttling.refusal_delay import CurrentRefusalDelay
from services.auth.throttling.remembered_refusals import CurrentRefusals
from services.auth.throttling.request_source import CurrentRequestSource

router = Router(prefix="/auth", tags=["accounts"])

login_form = OAuth2PasswordBearer(tokenUrl="/auth/token", auto_error=False)
"""Performs no check. It makes "Authorize" on /docs ask for a user name and a password."""


@raises(NotAuthenticated, Unavailable)
async def _guest(request: Request) -> Caller | None:
    """Return the guest to whom the access token was issued, or None if there is no token or it is not a guest's."""
    if not bearer_token(request.scope["headers"]):
        return None
    caller = await authenticate(request)
    return caller if caller.email is None and caller.session_id is not None else None


CurrentGuest = Annotated[Caller | None, Depends(_guest)]


@router.post(
    "/users",
    summary="Register an account",
    status_code=201,
    response_model=AccountView,
    responses={
        202: {"description": "AUTH_REGISTRATION is `verified`: the address got a mail", "model": RegistrationAccepted},
        **problem_responses(EmailTaken, PasswordTooEasy, TooBusy, TooManyMails),
    },
    openapi_extra={"security": [{}, {"HTTPBearer": []}]},  # the access token of a guest, or none
)
async def register_account(
    registration: Registration,
    db: DatabaseTransaction,
    hasher: CurrentPasswordHasher,
    source: CurrentRequestSource,
    refusals: CurrentRefusals,
    guest: CurrentGuest,
    refusal_delay: CurrentRefusalDelay,
) -> Account | Response:
    """Create a customer's account. E-mail addresses that differ only in upper and lower case are the same address.

    With a guest's access token, the guest's account gets the address and the password: id, orders and tokens stay the same.

    If the shop sends mail, the owner gets a mail whose token POST /auth/email/verify takes. If the shop accepts only verified addresses
    (AUTH_REGISTRATION), this token creates the account. The answer is then 202 for every address: if it has an account, the mail says so.
    A guest stays a guest in this case, and can be merged into the account after a login.
    """
    async with refusal_delay.request_of(source.limit_address):
        address_limits.check(refusals, REGISTRATIONS, source.limit_address)
        async with hasher.slot(Requester.of_registrations(source.limit_address), source.disconnected):
            async with db_sessions.begin() as counting:
                await address_limits.count(counting, refusals, REGISTRATIONS, source.limit_address)
            password_hash = await _hash_password(registration, hasher)
    email, name = registration.email, registration.name
    if settings.auth_registration is RegistrationMode.VERIFIED:
        await registrations.add(db, email=email, name=name, password_hash=password_hash)
        return JSONResponse(RegistrationAccepted().model_dump(), 202)
    if guest is None:
        account = await records.create(db, email=email, name=name, password_hash=password_hash)
    else:
        account = await guests.become_account(db, guest, email=email, name=name, password_hash=password_hash)
    if mail_is_configured():
        await send_verification(db, account)
    return account


async def _hash_password(registration: Registration, hasher: PasswordHasher) -> str:
    """Return the hash of the password. Raises PasswordTooEasy."""
    await asyncio.to_thread(
        check_not_easy, registration.password, registration.email, registration.name, settings.auth_shop_name
    )
    return await hasher.hash(registration.password)


@router.get(
    "/me",
    summary="Get your account",
    responses=problem_responses(AccountNeeded),
    dependencies=[Security(login_form)],
)
async def get_account(caller: Annotated[Caller, Depends(authenticate)], db: Reading) -> CurrentAccountView:
    """Return the account that the access token was issued to, and the scopes of the token."""
    return _view(await records.read_for_caller(db, caller), caller)


@router.patch("/me", summary="Change your account", responses=problem_responses(AccountNeeded))
async def change_account(
    change: AccountChange, caller: Annotated[Caller, Depends(authenticate)], db: DatabaseTransaction
) -> CurrentAccountView:
    """Change what you send; the rest stays as it is. Access tokens that are issued afterwards have the new name."""
    account = await records.get_for_caller(db, caller)
    if "name" in change.model_fields_set and change.name != account.name:
        account.name = change.name
        await db.flush()
        await publish_change(db, account.id)
    return _view(account, caller)


def _view(account: Account | AccountFacts, caller: Caller) -> CurrentAccountView:
    return CurrentAccountView(
        id=account.id,
        email=account.email,
        email_verified=account.email_verified,
        name=account.name,
        created_at=account.created_at,
        delete_at=account.delete_at,
        scope=" ".join(sorted(caller.scopes)),
    )
