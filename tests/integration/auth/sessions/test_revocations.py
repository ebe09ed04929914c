"""What ends a session revokes its access tokens: the revocation list names them until they have expired."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import jwt
import pytest
from sqlalchemy import func, insert, select, text, update

from contracts.revocations import RevocationList
from contracts.tokens import AccessClaims
from kit.audit.actor import Actor
from kit.revocations import Revocations
from services.auth.accounts import records, roles
from services.auth.accounts.configured import ensure_admin
from services.auth.accounts.password_hashing import PasswordHasher
from services.auth.clients import records as client_records
from services.auth.db import db_sessions
from services.auth.errors import InvalidGrant
from services.auth.models import Account
from services.auth.sessions import refresh_tokens, revocations
from services.auth.sessions.details import SessionDetails
from services.auth.sessions.models import LoginSession, Revocation, RevocationKind
from services.auth.settings import settings
from services.auth.worker import prune
from tests.fixtures.accounts import mark_verified
from tests.fixtures.auth import PASSWORD, AuthClient

Tokens = dict[str, str]


def claims_of(tokens: Tokens) -> AccessClaims:
    raw = jwt.decode(tokens["access_token"], options={"verify_signature": False})
    return AccessClaims.model_validate(raw)


def bearer(tokens: Tokens) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['access_token']}"}


async def is_revoked(auth: AuthClient, tokens: Tokens) -> bool:
    """Decide as a service does that has just fetched the list."""
    response = await auth.http.get("/auth/revocations")

    async def fetch() -> RevocationList:
        return RevocationList.model_validate_json(response.content)

    service = Revocations(fetch)
    async with service.polling():
        return service.is_revoked(claims_of(tokens))


async def revoke_refresh_token(auth: AuthClient, tokens: Tokens) -> None:
    assert (await auth.revoke(tokens["refresh_token"])).status_code == 200


async def revoke_access_token(auth: AuthClient, tokens: Tokens) -> None:
    assert (await auth.revoke(tokens["access_token"])).status_code == 200
    assert (await auth.refresh(tokens["refresh_token"])).status_code == 400


async def end_session(auth: AuthClient, tokens: Tokens) -> None:
    url = f"/auth/sessions/{claims_of(tokens).sid}"
    assert (await auth.http.delete(url, headers=bearer(tokens))).status_code == 204


async def reuse_refresh_token(auth: AuthClient, tokens: Tokens) -> None:
    await auth.refresh((await auth.refresh(tokens["refresh_token"])).json()["refresh_token"])
    assert (await auth.refresh(tokens["refresh_token"])).status_code == 400


async def end_all(_: AuthClient, tokens: Tokens) -> None:
    async with db_sessions.begin() as session:
        assert await revocations.end_sessions_of_account(session, UUID(claims_of(tokens).sub)) == 1


async def change_password(auth: AuthClient, tokens: Tokens) -> None:
    other = (await auth.login(claims_of(tokens).email or "")).json()
    body = {"current_password": PASSWORD, "new_password": "another gate of nine hinges"}
    assert (await auth.http.post("/auth/me/password", json=body, headers=bearer(other))).status_code == 204
    assert not await is_revoked(auth, other), "the session that changes the password goes on"


async def delete_account(auth: AuthClient, tokens: Tokens) -> None:
    answer = await auth.http.post("/auth/me/delete", json={"password": PASSWORD}, headers=bearer(tokens))
    assert answer.status_code == 202, answer.text


async def demote(_: AuthClient, tokens: Tokens) -> None:
    actor, address = Actor(id="operator:ada", address="desk"), claims_of(tokens).email or ""
    await mark_verified(address)
    async with db_sessions.begin() as session:
        await roles.grant(session, actor, address, "support")
        await roles.revoke(session, actor, address)


@pytest.mark.parametrize(
    "end",
    [
        *(revoke_refresh_token, revoke_access_token, end_session, reuse_refresh_token, end_all),
        *(change_password, delete_account, demote),
    ],
    ids=lambda f: f.__name__,
)
async def test_session_when_it_ends_in_any_way_is_in_the_list(
    auth: AuthClient, email: str, end: Callable[[AuthClient, Tokens], Awaitable[None]]
) -> None:
    tokens = (await auth.login(email)).json()
    others = (await auth.login((await auth.register()).json()["email"])).json()
    assert not await is_revoked(auth, tokens)
    await end(auth, tokens)
    assert await is_revoked(auth, tokens)
    assert not await is_revoked(auth, others)


async def test_session_when_the_account_is_banned_is_in_the_list(
    auth: AuthClient, email: str, administrator: dict[str, str]
) -> None:
    tokens = (await auth.login(email)).json()
    url = f"/auth/users/{claims_of(tokens).sub}/ban"
    assert (await auth.http.post(url, json={"reason": "Fraud"}, headers=administrator)).status_code == 200
    assert await is_revoked(auth, tokens)


async def test_session_when_the_account_becomes_that_of_the_administrator_is_in_the_list(
    auth: AuthClient, hasher: PasswordHasher
) -> None:
    assert settings.auth_admin_email is not None
    await auth.register(settings.auth_admin_email)
    tokens = (await auth.login(settings.auth_admin_email)).json()
    await ensure_admin(db_sessions, hasher, settings, Actor(id="operator:ada", address="desk"))
    assert await is_revoked(auth, tokens)


async def test_account_when_the_session_has_ended_is_refused_at_once(auth: AuthClient, email: str) -> None:
    tokens, others = (await auth.login(email)).json(), (await auth.login(email)).json()
    assert (await auth.me(tokens["access_token"])).status_code == 200
    await auth.revoke(tokens["refresh_token"])
    assert (await auth.me(tokens["access_token"])).status_code == 401
    assert (await auth.me(others["access_token"])).status_code == 200


async def test_check_when_a_session_has_ended_refuses_the_access_token_after_the_next_poll(
    auth: AuthClient, email: str
) -> None:
    tokens, others = (await auth.login(email)).json(), (await auth.login(email)).json()
    await auth.revoke(tokens["refresh_token"])
    async with asyncio.timeout(10):
        while (await auth.http.get("/auth/check", headers=bearer(tokens))).status_code != 401:  # noqa: ASYNC110 -- auth polls its database
            await asyncio.sleep(0.05)
    assert (await auth.http.get("/auth/check", headers=bearer(others))).status_code == 200


async def test_access_token_of_a_client_when_revoked_is_refused_and_the_next_one_is_not(auth: AuthClient) -> None:
    async with db_sessions.begin() as session:
        created = await client_records.create(session, "reporter", {"orders:read"}, public=False)
    assert created is not None
    program = {"client_id": "reporter", "client_secret": created.secret}
    first, second = [(await auth.token("client_credentials", **program)).json() for _ in range(2)]
    assert (await auth.revoke(first["access_token"])).status_code == 200
    assert await is_revoked(auth, first)
    assert not await is_revoked(auth, second)
    async with db_sessions.begin() as session:
        await revocations.revoke_subject(session, "reporter")
    assert await is_revoked(auth, second)
    async with db_sessions.begin() as session:
        await session.execute(update(Revocation).values(revoked_at=func.now() - text("interval '2 seconds'")))
    assert not await is_revoked(auth, second), "it was issued after the tokens of the client were revoked"


@pytest.mark.parametrize("token", ["a.b.c", "..", "a.b.c" * 1000])
async def test_revoke_when_it_is_no_token_of_ours_answers_200(auth: AuthClient, token: str) -> None:
    assert (await auth.revoke(token)).status_code == 200
    assert (await auth.http.get("/auth/revocations")).json()["tokens"] == []


async def test_list_has_no_personal_data_and_an_etag(auth: AuthClient, email: str) -> None:
    empty = await auth.http.get("/auth/revocations")
    tokens = (await auth.login(email)).json()
    await auth.revoke(tokens["refresh_token"])
    filled = await auth.http.get("/auth/revocations", headers={"If-None-Match": empty.headers["etag"]})
    assert filled.json() == {"sessions": [claims_of(tokens).sid], "subjects": {}, "tokens": [], "issued_before": 0}
    again = await auth.http.get("/auth/revocations", headers={"If-None-Match": filled.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_list_when_the_last_access_token_of_a_session_has_expired_does_not_name_it(
    auth: AuthClient, email: str
) -> None:
    old, recent = (await auth.login(email)).json(), (await auth.login(email)).json()
    async with db_sessions.begin() as session:
        expired = datetime.now(UTC) - revocations.MARGIN - timedelta(seconds=1)
        await session.execute(
            update(LoginSession).where(LoginSession.sid == claims_of(old).sid).values(access_expires_at=expired)
        )
    for tokens in (old, recent):
        await auth.revoke(tokens["refresh_token"])
    assert (await auth.http.get("/auth/revocations")).json()["sessions"] == [claims_of(recent).sid]
    async with db_sessions.begin() as session:
        left = await session.scalar(select(Revocation.expires_at - func.now()))
        await session.execute(update(Revocation).values(expires_at=func.now() - text("interval '1 second'")))
    assert left is not None
    assert left > timedelta(seconds=settings.auth_access_token_seconds)
    assert (await auth.http.get("/auth/revocations")).json()["sessions"] == []
    async with db_sessions.begin() as session:
        await prune(session)  # also deletes rows of other kinds
    async with db_sessions() as session:
        assert await session.scalar(select(func.count()).select_from(Revocation)) == 0


async def test_list_when_there_are_more_entries_than_its_limit_refuses_the_tokens_of_the_others_by_time() -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    async with db_sessions.begin() as session:
        rows = [
            {
                "kind": RevocationKind.SESSION,
                "key": f"session-{number}",
                "revoked_at": now - timedelta(minutes=number),
                "expires_at": now + timedelta(minutes=10),
            }
            for number in range(5)
        ]
        await session.execute(insert(Revocation), rows)
        assert (await revocations.current_list(session, limit=5)).issued_before == 0
        found = await revocations.current_list(session, limit=3)
    assert found.sessions == ["session-0", "session-1", "session-2"]
    assert found.issued_before == int((now - timedelta(minutes=3)).timestamp()) + 1


@pytest.mark.parametrize("change", [{"password_hash": "other"}, {"role": "support"}])
async def test_login_when_the_account_changes_meanwhile_fails(email: str, change: dict[str, str]) -> None:
    async with db_sessions.begin() as session:
        account = await records.find_by_email(session, email)
    assert account is not None
    async with db_sessions.begin() as session:
        await session.execute(update(Account).values(**change))
        assert await revocations.end_sessions_of_account(session, account.id) == 0
    with pytest.raises(InvalidGrant):
        async with db_sessions.begin() as session:
            await refresh_tokens.begin_session(session, account, "shop", "orders:write", SessionDetails())
