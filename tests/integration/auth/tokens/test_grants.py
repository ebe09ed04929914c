import jwt
import pytest
from sqlalchemy import update

from contracts.tokens import ADMIN_SCOPES, CUSTOMER_SCOPES, AccessClaims
from services.auth.accounts.password_hashing import PasswordHasher
from services.auth.db import db_sessions
from services.auth.models import ADMIN, Account
from services.auth.settings import settings
from tests.fixtures.auth import AuthClient


async def test_login_returns_a_token_with_the_claims_of_the_account(auth: AuthClient, email: str) -> None:
    response = await auth.login(email)
    body = response.json()
    assert response.headers["cache-control"] == "no-store"
    assert set(body) == {"access_token", "token_type", "expires_in", "refresh_token", "scope", "device_token"}
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 900)
    header = jwt.get_unverified_header(body["access_token"])
    assert (header["typ"], header["alg"]) == ("at+jwt", "RS256")
    raw = jwt.decode(body["access_token"], options={"verify_signature": False})
    claims = AccessClaims.model_validate(raw, strict=True)
    me = (await auth.me(body["access_token"])).json()
    assert (claims.sub, claims.email, claims.client_id) == (me["id"], email, "shop")
    assert (claims.iss, claims.aud, claims.exp - claims.iat) == (settings.token_issuer, settings.token_audience, 900)
    assert claims.scopes == CUSTOMER_SCOPES == set(me["scope"].split())


async def test_login_when_the_address_differs_in_case_then_succeeds(auth: AuthClient, email: str) -> None:
    assert (await auth.login(f" {email.upper()}")).status_code == 200


async def test_login_when_a_scope_is_requested_then_at_most_the_accounts_own(auth: AuthClient, email: str) -> None:
    assert (await auth.login(email, scope="orders:write")).json()["scope"] == "orders:write"
    for scope in ("catalog:write", "orders:write catalog:write", "everything"):
        response = await auth.login(email, scope=scope)
        assert (response.status_code, response.json()["error"]) == (400, "invalid_scope")


async def test_login_when_the_user_is_unknown_then_same_response_as_wrong_password(
    auth: AuthClient, email: str
) -> None:
    wrong = await auth.login(email, "another password")
    unknown = await auth.login("nobody@example.com", "another password")
    no_address = await auth.login("nobody", "another password")
    assert wrong.status_code == unknown.status_code == no_address.status_code == 400
    assert wrong.json() == unknown.json() == no_address.json()
    varying = {"x-request-id", "x-process-time"}
    assert set(wrong.headers) - varying == set(unknown.headers) - varying


async def test_login_when_the_user_is_unknown_then_a_hash_is_compared_as_for_a_wrong_password(
    auth: AuthClient, hasher: PasswordHasher, email: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """tests/unit/auth/accounts/test_password_hashing.py shows that a comparison takes the same work without a stored hash."""
    compared: list[bool] = []
    verify = hasher.verify

    async def count_and_verify(password: str, stored_hash: str | None) -> tuple[bool, str | None]:
        compared.append(stored_hash is not None)
        return await verify(password, stored_hash)

    monkeypatch.setattr(hasher, "verify", count_and_verify)
    for name in (email, "nobody@example.com"):
        assert (await auth.login(name, "another password")).status_code == 400
    assert compared == [True, False]


async def test_tokens_when_the_account_is_deleted_then_refused(auth: AuthClient, email: str) -> None:
    tokens = (await auth.login(email)).json()
    async with db_sessions.begin() as session:
        account = await session.get_one(Account, (await auth.me(tokens["access_token"])).json()["id"])
        await session.delete(account)
    assert (await auth.me(tokens["access_token"])).status_code == 401
    assert (await auth.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"


async def test_login_when_the_account_is_an_admin_then_admin_scopes(auth: AuthClient, email: str) -> None:
    async with db_sessions.begin() as session:
        await session.execute(update(Account).values(role=ADMIN))
    assert set((await auth.login(email)).json()["scope"].split()) == ADMIN_SCOPES
