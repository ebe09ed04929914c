"""Guests: tokens without an address, an account with the same id, a merge into another account, an end after 24 hours."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import jwt
import pytest
from sqlalchemy import func, select, text, update

from contracts.events import EVENT_ADAPTER
from contracts.tokens import CUSTOMER_SCOPES
from services.auth.accounts import guests
from services.auth.clients import records as client_records
from services.auth.db import db_sessions
from services.auth.models import Account, OutboxRow
from services.auth.sessions.models import LoginSession
from services.auth.throttling.address_buckets import GUESTS
from services.auth.tokens import guest_routes
from services.auth.worker import prune
from tests.fixtures.auth import PASSWORD, AuthClient

Tokens = dict[str, str]


def claims_of(tokens: Tokens) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(tokens["access_token"], options={"verify_signature": False})
    return found


def bearer(tokens: Tokens) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['access_token']}"}


async def begin(auth: AuthClient, **form: str) -> Tokens:
    response = await auth.http.post("/auth/guests", data=form)
    assert response.status_code == 201, response.text
    found: Tokens = response.json()
    return found


async def register(auth: AuthClient, tokens: Tokens, email: str = "ada@example.com") -> Any:
    body = {"email": email, "password": PASSWORD, "name": "Ada"}
    return await auth.http.post("/auth/users", json=body, headers=bearer(tokens))


async def merge(auth: AuthClient, account: Tokens, guest: Tokens) -> Any:
    body = {"refresh_token": guest["refresh_token"]}
    return await auth.http.post("/auth/guests/merge", json=body, headers=bearer(account))


async def outbox() -> list[Any]:
    async with db_sessions() as session:
        bodies = await session.scalars(select(OutboxRow.body).order_by(OutboxRow.id))
        return [EVENT_ADAPTER.validate_json(body) for body in bodies]


async def test_guest_when_created_has_tokens_with_customer_scopes_and_no_address(auth: AuthClient) -> None:
    response = await auth.http.post("/auth/guests")
    tokens = response.json()
    assert (response.status_code, response.headers["cache-control"]) == (201, "no-store")
    assert set(tokens) == {"access_token", "token_type", "expires_in", "refresh_token", "scope"}
    claims = claims_of(tokens)
    assert set(claims["scope"].split()) == CUSTOMER_SCOPES == set(tokens["scope"].split())
    assert claims["client_id"] == "shop"
    me = (await auth.me(tokens["access_token"])).json()
    assert (me["id"], me["email"], me["name"], me["email_verified"]) == (claims["sub"], None, None, False)
    refreshed = (await auth.refresh(tokens["refresh_token"])).json()
    assert (claims_of(refreshed)["sub"], claims_of(refreshed)["sid"]) == (claims["sub"], claims["sid"])
    assert not {"email", "email_verified", "name"} & (claims.keys() | claims_of(refreshed).keys())
    async with db_sessions() as session:
        assert await session.scalar(select(LoginSession.expires_at - LoginSession.last_used_at)) == timedelta(days=1)


async def test_guest_when_the_client_is_named_has_at_most_its_scopes(auth: AuthClient) -> None:
    async with db_sessions.begin() as session:
        await client_records.create(session, "kiosk", {"orders:write"}, public=True)
    assert (await begin(auth, client_id="kiosk"))["scope"] == "orders:write"
    refused = await auth.http.post("/auth/guests", data={"client_id": "unknown"})
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")


async def test_guest_when_one_address_creates_too_many_then_429(
    auth: AuthClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guest_routes, "GUESTS", replace(GUESTS, capacity=2, refill=timedelta(minutes=1)))
    answers = [await auth.http.post("/auth/guests") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert 0 < int(answers[-1].headers["retry-after"]) <= 60
    async with db_sessions() as session:
        assert await session.scalar(select(func.count()).select_from(Account)) == 2


async def test_guest_when_registered_becomes_an_account_with_the_same_id_and_sessions(auth: AuthClient) -> None:
    tokens = await begin(auth)
    account = (await register(auth, tokens)).json()
    assert (account["id"], account["email"]) == (claims_of(tokens)["sub"], "ada@example.com")
    (event,) = await outbox()
    assert (event.type, event.subject) == ("account.changed", account["id"])
    assert (event.data.email, event.data.name) == ("ada@example.com", "Ada")
    assert claims_of((await auth.login("ada@example.com")).json())["sub"] == account["id"]
    refreshed = (await auth.refresh(tokens["refresh_token"])).json()
    assert (claims_of(refreshed)["email"], claims_of(refreshed)["name"]) == ("ada@example.com", "Ada")
    async with db_sessions() as session:
        month = LoginSession.expires_at > LoginSession.last_used_at + timedelta(days=29)
        assert set(await session.scalars(select(month))) == {True}


async def test_guest_when_the_address_is_taken_stays_a_guest(auth: AuthClient, email: str) -> None:
    tokens = await begin(auth)
    refused = await register(auth, tokens, email)
    assert (refused.status_code, refused.json()["code"]) == (409, "email_taken")
    assert (await auth.me(tokens["access_token"])).json()["email"] is None
    assert await outbox() == []


async def test_guest_when_registered_twice_at_once_becomes_one_account(auth: AuthClient) -> None:
    tokens = await begin(auth)
    answers = await asyncio.gather(*(register(auth, tokens, f"ada{number}@example.com") for number in range(2)))
    assert sorted(answer.status_code for answer in answers) == [201, 401]
    async with db_sessions() as session:
        assert await session.scalar(select(func.count()).select_from(Account)) == 1


async def test_registration_with_the_token_of_an_account_creates_another_account(auth: AuthClient, email: str) -> None:
    tokens = (await auth.login(email)).json()
    created = await register(auth, tokens)
    assert created.status_code == 201
    assert created.json()["id"] != claims_of(tokens)["sub"]
    refused = await register(auth, {"access_token": "nonsense"}, "eve@example.com")
    assert refused.status_code == 401, "the client believes that its guest becomes an account"


async def test_guest_when_merged_ends_and_the_account_gets_what_belongs_to_it(auth: AuthClient, email: str) -> None:
    guest, account = await begin(auth), (await auth.login(email)).json()
    assert (await merge(auth, account, guest)).status_code == 204
    (event,) = await outbox()
    assert (event.type, event.subject) == ("account.merged", claims_of(guest)["sub"])
    assert event.data.merged_into == UUID(claims_of(account)["sub"])
    assert event.data.email == email
    assert (await auth.me(guest["access_token"])).status_code == 401
    assert (await auth.refresh(guest["refresh_token"])).json()["error"] == "invalid_grant"
    assert claims_of(guest)["sid"] in (await auth.http.get("/auth/revocations")).json()["sessions"]
    again = await merge(auth, account, guest)
    assert (again.status_code, again.json()["code"]) == (404, "guest_not_found")
    assert len(await outbox()) == 1


async def test_merge_when_the_response_of_the_last_refresh_was_lost_takes_the_token_before(
    auth: AuthClient, email: str
) -> None:
    guest, account = await begin(auth), (await auth.login(email)).json()
    await auth.refresh(guest["refresh_token"])
    assert (await merge(auth, account, guest)).status_code == 204


async def test_merge_when_the_token_belongs_to_an_account_or_nobody_is_refused(auth: AuthClient, email: str) -> None:
    account = (await auth.login(email)).json()
    others = (await auth.login((await auth.register()).json()["email"])).json()
    guest = await begin(auth)
    forged = {"refresh_token": f"{guest['refresh_token'].partition('.')[0]}.{'a' * 43}"}
    for token in (
        others,
        account,
        {"refresh_token": "nonsense"},
        forged,
        {"refresh_token": guest["access_token"][:200]},
    ):
        refused = await merge(auth, account, token)
        assert (refused.status_code, refused.json()["code"]) == (404, "guest_not_found")
    assert (await auth.refresh(guest["refresh_token"])).status_code == 200, "a wrong token does not end the session"
    assert await outbox() == []


async def test_merge_into_a_guest_is_refused(auth: AuthClient) -> None:
    one, other = await begin(auth), await begin(auth)
    refused = await merge(auth, one, other)
    assert (refused.status_code, refused.json()["code"]) == (403, "account_needed")


async def test_merge_when_twice_at_once_merges_once(auth: AuthClient, email: str) -> None:
    guest, account = await begin(auth), (await auth.login(email)).json()
    answers = await asyncio.gather(*(merge(auth, account, guest) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [204] + [404] * 4
    assert len(await outbox()) == 1


async def _age_accounts() -> None:
    async with db_sessions.begin() as session:
        await session.execute(update(Account).values(created_at=func.now() - text("interval '25 hours'")))


async def test_prune_deletes_guests_that_were_not_used_for_24_hours(auth: AuthClient, email: str) -> None:
    used, unused, logged_out = [await begin(auth) for _ in range(3)]
    await _age_accounts()
    recent = await begin(auth)
    await auth.revoke(logged_out["refresh_token"])
    async with db_sessions.begin() as session:
        ended = update(LoginSession).where(LoginSession.sid == claims_of(unused)["sid"])
        await session.execute(ended.values(expires_at=func.now()))
    async with db_sessions.begin() as session:
        await prune(session)
    async with db_sessions() as session:
        kept = set(await session.scalars(select(Account.id).where(Account.email.is_(None))))
        assert kept == {UUID(claims_of(one)["sub"]) for one in (used, recent)}
        assert await session.scalar(select(Account.id).where(Account.email == email)) is not None
    assert await outbox() == [], "the orders stay as they are"


async def test_prune_when_a_batch_is_full_leaves_the_rest_for_the_next(auth: AuthClient) -> None:
    for _ in range(3):
        await auth.revoke((await begin(auth))["refresh_token"])
    await _age_accounts()
    async with db_sessions.begin() as session:
        assert await guests.prune(session, 2) == 2
    async with db_sessions.begin() as session:
        assert await guests.prune(session, 2) == 1


async def test_guest_when_it_deletes_itself_is_deleted_at_once_and_that_is_published(auth: AuthClient) -> None:
    tokens = await begin(auth)
    answer = await auth.http.post("/auth/me/delete", json={}, headers=bearer(tokens))
    assert answer.status_code == 202, answer.text
    assert [event.type for event in await outbox()] == ["account.deleted"]
    assert (await auth.me(tokens["access_token"])).status_code == 401


@pytest.mark.parametrize("password", ["", "anything at all"])
async def test_guest_cannot_log_in_with_a_password(auth: AuthClient, password: str) -> None:
    guest = await begin(auth)
    for name in (claims_of(guest)["sub"], "None", "null"):
        assert (await auth.login(name, password)).status_code == 400


async def test_guest_when_changing_its_password_is_told_to_register(auth: AuthClient) -> None:
    body = {"current_password": PASSWORD, "new_password": "another gate of nine hinges"}
    tokens = await begin(auth)
    refused = await auth.http.post("/auth/me/password", json=body, headers=bearer(tokens))
    assert (refused.status_code, refused.json()["code"]) == (403, "account_needed")
