"""Registering, and who one is."""

from fastapi import APIRouter, Security
from fastapi.security import OAuth2PasswordBearer

from kit.errors import NotAuthenticated, Unavailable, problem_responses
from services.auth import accounts, passwords
from services.auth.db import Transaction
from services.auth.errors import AccountNeeded, EmailTaken, PasswordTooEasy, TooBusy
from services.auth.models import Account
from services.auth.schemas import AccountAnswer, MeAnswer, Registration
from services.auth.tokens import CallerOf

router = APIRouter(prefix="/auth", tags=["accounts"])

# Checks nothing: with it, "Authorize" on /docs asks for a user name and a password.
login_form = OAuth2PasswordBearer(tokenUrl="/auth/token", auto_error=False)


@router.post(
    "/users",
    status_code=201,
    response_model=AccountAnswer,
    responses=problem_responses(EmailTaken, PasswordTooEasy, TooBusy, Unavailable),
)
async def register(registration: Registration, session: Transaction) -> Account:
    """Make an account. One address is one account, however it is capitalised."""
    passwords.refuse_easy(registration.password, registration.email)
    async with passwords.hashing.turn():
        password_hash = await passwords.hashing.hash(registration.password)
    return await accounts.create(session, email=registration.email, name=registration.name, password_hash=password_hash)


@router.get(
    "/me",
    responses=problem_responses(NotAuthenticated, AccountNeeded, Unavailable),
    dependencies=[Security(login_form)],
)
async def me(caller: CallerOf, session: Transaction) -> MeAnswer:
    """The account behind the access token, and what the token may do."""
    account = await accounts.of(session, caller)
    return MeAnswer(
        id=account.id,
        email=account.email,
        name=account.name,
        created_at=account.created_at,
        scope=" ".join(sorted(caller.scopes)),
    )
