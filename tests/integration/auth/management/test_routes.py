"""Operators find, change and ban accounts."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jwt
import pytest
from sqlalchemy import text

from kit.audit.actor import Actor
from services.auth.accounts import administrators
from services.auth.accounts.records import find_by_email
from services.auth.clients import records
from services.auth.db import reading_engine, sessions
from services.auth.errors import AccountBanned
from services.auth.mail import waiting
from services.auth.sessions import refresh_tokens
from services.auth.sessions.origin import Origin
from services.auth.settings import settings
from tests.fixtures.accounts import mark_verified
from tests.fixtures.audit import audit_entries
from tests.fixtures.auth import AuthClient
from tests.fixtures.owners import owner_sessions
from tests.fixtures.statements import recorded_with_parameters

Headers = dict[str, str]
REASON = "Paid with stolen cards"
_ACTOR = Actor(id="operator:ada", address="desk")


async def register(auth: AuthClient, email: str, name: str | None = None) -> str:
    response = await auth.register(email, name=name)
    assert response.status_code == 201, response.text
    found: str = response.json()["id"]
    return found


async def found(auth: AuthClient, headers: Headers, **params: str | int) -> list[Any]:
    response = await auth.http.get("/auth/users", headers=headers, params=params)
    assert response.status_code == 200, response.text
    return [item["email"] for item in response.json()["items"]]


async def ban(auth: AuthClient, headers: Headers, account_id: str, **body: object) -> httpx.Response:
    return await auth.http.post(f"/auth/users/{account_id}/ban", headers=headers, json={"reason": REASON, **body})


async def change(auth: AuthClient, headers: Headers, account_id: str, **body: object) -> httpx.Response:
    return await auth.http.patch(f"/auth/users/{account_id}", headers=headers, json=body)


async def account_id_of(auth: AuthClient, headers: Headers) -> str:
    found: str = (await auth.http.get("/auth/me", headers=headers)).json()["id"]
    return found


async def manager(auth: AuthClient, *scopes: str) -> Headers:
    """Return the headers of a program with the scope accounts:manage and `scopes`."""
    async with sessions.begin() as session:
        created = await records.create(session, "desk", {"accounts:manage", *scopes}, public=False)
    assert created is not None
    tokens = (await auth.token("client_credentials", client_id="desk", client_secret=created.secret)).json()
    return {"Authorization": f"Bearer {tokens['access_token']}"}


async def test_list_when_searched_by_address_name_or_id_finds_the_account(
    auth: AuthClient, administrator: Headers
) -> None:
    ada = await register(auth, "ada@example.com", "Ada Obi")
    await register(auth, "obinna_50%@example.com", "Chidi J.Okafor")
    for q, expected in {
        "ADA@": ["ada@example.com"],
        "Ada@Example.com": ["ada@example.com"],
        "da@": [],
        ada: ["ada@example.com"],
        "obi": ["obinna_50%@example.com", "ada@example.com"],
        "obi ada": ["ada@example.com"],
        "okaf": ["obinna_50%@example.com"],
        "obinna_": ["obinna_50%@example.com"],
        "obinna%": [],
        "' | \\ & !": [],
    }.items():
        assert await found(auth, administrator, q=q) == expected, q


async def test_list_when_there_are_several_pages_returns_each_account_once(
    auth: AuthClient, administrator: Headers
) -> None:
    expected = [f"user{number}@example.com" for number in range(5)]
    for address in expected:
        await register(auth, address)
    pages: list[str] = []
    params = {"q": "user", "limit": "2"}
    while True:
        page = (await auth.http.get("/auth/users", headers=administrator, params=params)).json()
        pages += [item["email"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
    assert pages == expected[::-1]


async def test_list_when_filtered_by_role_and_status_returns_only_these(
    auth: AuthClient, administrator: Headers
) -> None:
    banned = await register(auth, "banned@example.com")
    await register(auth, "active@example.com")
    await ban(auth, administrator, banned)
    assert await found(auth, administrator, status="banned") == ["banned@example.com"]
    assert await found(auth, administrator, status="active", role="customer") == ["active@example.com"]
    assert await found(auth, administrator, role="admin") == [settings.auth_admin_email]


async def test_list_when_there_are_many_accounts_uses_an_index_for_every_search(
    auth: AuthClient, administrator: Headers
) -> None:
    rows = (
        "INSERT INTO accounts (id, email, name, password_hash)"
        " SELECT gen_random_uuid(), 'user' || n || '@example.com', 'Name' || n, '!' FROM generate_series(1, 20000) n"
    )
    async with owner_sessions("auth").begin() as session:
        await session.execute(text(rows))
        await session.execute(text("ANALYZE accounts"))
    searches: list[tuple[dict[str, str | int], str]] = [
        ({"q": "user12345@"}, "ix_accounts_email_prefix"),
        ({"q": "name12345"}, "ix_accounts_name_words"),
        ({}, "ix_accounts_created_at_id"),
        ({"status": "banned"}, "ix_accounts_banned"),
    ]
    for params, index in searches:
        with recorded_with_parameters(reading_engine) as statements:
            await found(auth, administrator, **params)
        statement, parameters = next(sent for sent in statements if "FROM accounts" in sent[0])
        async with reading_engine.connect() as connection:
            plan = (await connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)).scalars().all()
        assert "Seq Scan" not in str(plan), plan
        assert index in str(plan), plan
    assert await found(auth, administrator, q="user12345@") == ["user12345@example.com"]


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
    async with sessions() as session:
        account = await find_by_email(session, email)
    assert account is not None
    assert (await ban(auth, administrator, str(account.id))).status_code == 200
    with pytest.raises(AccountBanned):
        async with sessions.begin() as session:
            await refresh_tokens.issue(session, account, "shop", "orders:write", Origin())


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
    async with sessions.begin() as session:
        await administrators.grant(session, _ACTOR, "root@example.com", "admin")
    assert (await change(auth, program, account_id, role="support")).status_code == 200
    users = f"/auth/users/{administrator_id}"
    for answer in (
        await change(auth, program, account_id, role="admin"),
        await change(auth, program, administrator_id, role="customer"),
        await ban(auth, program, administrator_id),
        await auth.http.post(f"{users}/unban", headers=program),
        await auth.http.delete(f"{users}/sessions", headers=program),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "scopes_not_held")


async def test_administrators_when_it_is_their_account_or_that_of_the_configuration_then_refused(
    auth: AuthClient, administrator: Headers
) -> None:
    await register(auth, "root@example.com")
    for address in ("ada@example.com", "root@example.com"):
        await mark_verified(address)
    async with sessions.begin() as session:
        await administrators.grant(session, _ACTOR, "root@example.com", "admin")
    other = await auth.signed_in("root@example.com")
    configured, own = await account_id_of(auth, administrator), await account_id_of(auth, other)
    for account_id, code in ((configured, "account_of_configuration"), (own, "own_account")):
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
