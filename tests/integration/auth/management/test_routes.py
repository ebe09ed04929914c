"""Operators change and ban accounts."""

from datetime import UTC, datetime, timedelta

import jwt
import pytest
from sqlalchemy import text

from kit.audit.actor import Actor
from services.auth.accounts import roles
from services.auth.accounts.records import find_by_email
from services.auth.db import db_sessions
from services.auth.errors import AccountBanned
from services.auth.mail import waiting
from services.auth.sessions import refresh_tokens
from services.auth.sessions.details import SessionDetails
from services.auth.settings import settings
from tests.fixtures.accounts import mark_verified
from tests.fixtures.audit import audit_entries
from tests.fixtures.auth import AuthClient
from tests.fixtures.auth_management import REASON, Headers, account_id_of, ban, change, found, manager, register
from tests.fixtures.owners import owner_sessions

_ACTOR = Actor(id="operator:ada", address="desk")


async def test_ban_ends_sessions_and_logins_until_the_account_is_unbanned(
    auth: AuthClient, administrator: Headers, email: str
) -> None:
    tokens = (await auth.login(email)).json()
    account_id = await account_id_of(auth, {"Authorization": f"Bearer {tokens['access_token']}"})
    view = (await ban(auth, administrator, account_id)).json()
    assert (view["status"], view["ban"]["reason"], view["ban"]["until"]) == ("banned", REASON, None)
    assert (await auth.me(tokens["access_token"])).status_code == 401
    assert (await auth.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    refused = (await auth.login(email)).json()
    assert (refused["error"], refused["error_description"]) == (
        "invalid_grant",
        "This account is banned. Contact the shop.",
    )
    assert "banned" not in (await auth.login(email, "wrong")).json()["error_description"]
    unbanned = await auth.http.post(f"/auth/users/{account_id}/unban", headers=administrator)
    assert (unbanned.status_code, unbanned.json()["status"], unbanned.json()["ban"]) == (200, "active", None)
    assert (await auth.login(email)).status_code == 200
    assert (await auth.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant", "the session stays ended"


async def test_login_when_the_account_is_banned_meanwhile_then_no_session_begins(
    auth: AuthClient, administrator: Headers, email: str
) -> None:
    async with db_sessions() as session:
        account = await find_by_email(session, email)
    assert account is not None
    assert (await ban(auth, administrator, str(account.id))).status_code == 200
    with pytest.raises(AccountBanned):
        async with db_sessions.begin() as session:
            await refresh_tokens.begin_session(session, account, "shop", "orders:write", SessionDetails())


async def test_ban_when_it_has_an_end_then_it_ends_by_itself(
    auth: AuthClient, administrator: Headers, email: str
) -> None:
    (account_id,) = [
        item["id"]
        for item in (await auth.http.get("/auth/users", headers=administrator, params={"q": email})).json()["items"]
    ]
    until = (datetime.now(UTC) + timedelta(days=7)).replace(microsecond=0)
    assert (await ban(auth, administrator, account_id, until=until.isoformat())).json()["status"] == "banned"
    assert f"until {until:%Y-%m-%d %H:%M} UTC" in (await auth.login(email)).json()["error_description"]
    async with owner_sessions("auth").begin() as session:
        await session.execute(text("UPDATE accounts SET banned_until = now() WHERE id = :id"), {"id": account_id})
    assert (await auth.login(email)).status_code == 200
    view = (await auth.http.get(f"/auth/users/{account_id}", headers=administrator)).json()
    assert (view["status"], view["ban"]) == ("active", None)
    assert await found(auth, administrator, status="banned") == []


@pytest.mark.parametrize("body", [{}, {"reason": " "}, {"reason": "x", "until": "2020-01-01T00:00:00Z"}])
async def test_ban_when_the_body_is_invalid_then_422(
    auth: AuthClient, administrator: Headers, body: dict[str, str]
) -> None:
    account_id = await register(auth, "ada@example.com")
    answer = await auth.http.post(f"/auth/users/{account_id}/ban", headers=administrator, json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_change_role_gives_the_scopes_and_a_demotion_ends_the_sessions(
    auth: AuthClient, administrator: Headers
) -> None:
    account_id = await register(auth, "ada@example.com")
    await mark_verified("ada@example.com")
    assert (await change(auth, administrator, account_id, role="support")).json()["role"] == "support"
    tokens = (await auth.login("ada@example.com")).json()
    assert "payments:read" in tokens["scope"]
    assert (await change(auth, administrator, account_id, role="customer")).json()["role"] == "customer"
    assert (await auth.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    unknown = await change(auth, administrator, account_id, role="owner")
    assert (unknown.status_code, unknown.json()["code"]) == (422, "unknown_role")
    assert "admin, customer, support" in unknown.json()["detail"]


async def test_guests_are_found_and_banned_and_get_no_role(auth: AuthClient, administrator: Headers) -> None:
    created = await auth.http.post("/auth/guests")
    assert created.status_code == 201, created.text
    tokens = created.json()
    guest_id = jwt.decode(tokens["access_token"], options={"verify_signature": False})["sub"]
    assert await found(auth, administrator, q=guest_id) == [None]
    refused = await change(auth, administrator, guest_id, role="support")
    assert (refused.status_code, refused.json()["code"]) == (409, "role_of_guest")
    assert (await ban(auth, administrator, guest_id)).json()["status"] == "banned"
    assert (await auth.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"


async def test_change_role_when_the_address_is_not_verified_is_refused(
    auth: AuthClient, administrator: Headers
) -> None:
    account_id = await register(auth, "ada@example.com")
    answer = await change(auth, administrator, account_id, role="support")
    assert (answer.status_code, answer.json()["code"]) == (409, "address_not_verified")


async def test_change_role_when_the_shop_sends_no_mail_needs_no_verified_address(
    auth: AuthClient, administrator: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "settings", settings.model_copy(update={"auth_smtp_url": None}))
    account_id = await register(auth, "ada@example.com")
    assert (await change(auth, administrator, account_id, role="support")).json()["role"] == "support"


async def test_operators_when_the_role_has_scopes_that_they_do_not_have_then_refused(auth: AuthClient) -> None:
    program = await manager(auth, "orders:read", "payments:read")
    account_id, administrator_id = await register(auth, "ada@example.com"), await register(auth, "root@example.com")
    for address in ("ada@example.com", "root@example.com"):
        await mark_verified(address)
    async with db_sessions.begin() as session:
        await roles.grant(session, _ACTOR, "root@example.com", "admin")
    assert (await change(auth, program, account_id, role="support")).status_code == 200
    users = f"/auth/users/{administrator_id}"
    for answer in (
        await change(auth, program, account_id, role="admin"),
        await change(auth, program, administrator_id, role="customer"),
        await ban(auth, program, administrator_id),
        await auth.http.post(f"{users}/unban", headers=program),
        await auth.http.delete(f"{users}/sessions", headers=program),
        await auth.http.post(f"{users}/mails/{administrator_id}/resend", headers=program),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "scopes_not_held")


async def test_administrators_when_it_is_their_account_or_that_of_the_configuration_then_refused(
    auth: AuthClient, administrator: Headers
) -> None:
    await register(auth, "root@example.com")
    for address in ("ada@example.com", "root@example.com"):
        await mark_verified(address)
    async with db_sessions.begin() as session:
        await roles.grant(session, _ACTOR, "root@example.com", "admin")
    other = await auth.logged_in("root@example.com")
    configured, own = await account_id_of(auth, administrator), await account_id_of(auth, other)
    for account_id, code in ((configured, "configured_administrator"), (own, "own_account")):
        for answer in (
            await ban(auth, other, account_id),
            await change(auth, other, account_id, role="customer"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (409, code)
    assert (await change(auth, other, own, name="Root")).json()["name"] == "Root"


async def test_operator_when_the_session_has_just_ended_then_refused(auth: AuthClient, administrator: Headers) -> None:
    account_id = await register(auth, "ada@example.com")
    administrator_id = await account_id_of(auth, administrator)
    ended = await auth.http.delete(f"/auth/users/{administrator_id}/sessions", headers=administrator)
    assert ended.status_code == 204
    assert (await ban(auth, administrator, account_id)).status_code == 401


async def test_operators_when_the_account_is_unknown_then_404(auth: AuthClient, administrator: Headers) -> None:
    users = "/auth/users/5b0b7b4e-5a3c-4a0e-9a57-8a3c1f7d2f10"
    for method, path, body in (
        ("GET", "", None),
        ("PATCH", "", {"role": "support"}),
        ("POST", "/ban", {"reason": REASON}),
        ("POST", "/unban", None),
        ("DELETE", "/sessions", None),
        ("GET", "/mails", None),
        ("POST", "/mails/0d0c5f7e-1c0e-4a57-9a27-1e3f7d2f105b/resend", None),
    ):
        answer = await auth.http.request(method, users + path, headers=administrator, json=body)
        assert (answer.status_code, answer.json()["code"]) == (404, "account_not_found")


async def test_acts_are_recorded_without_personal_data(auth: AuthClient, administrator: Headers) -> None:
    account_id = await register(auth, "ada@example.com", "Ada")
    users = f"/auth/users/{account_id}"
    await auth.login("ada@example.com")
    await mark_verified("ada@example.com")
    await change(auth, administrator, account_id, role="support", name="Ada Obi")
    await auth.http.delete(f"{users}/sessions", headers=administrator)
    await ban(auth, administrator, account_id)
    await auth.http.post(f"{users}/unban", headers=administrator)
    await auth.http.post(f"{users}/unban", headers=administrator)
    entries = await audit_entries(auth.http, "auth", administrator, subject=account_id)
    assert [entry["act"] for entry in entries] == [
        "account.unbanned",
        "account.banned",
        "account.sessions_ended",
        "account.renamed",
        "role.granted",
    ]
    assert {entry["actor"] for entry in entries} == {await account_id_of(auth, administrator)}
    assert entries[1]["reason"] == REASON
    assert entries[2]["after"] == {"sessions": 1}
    assert "Ada" not in str(entries)
    assert "ada@" not in str(entries)
