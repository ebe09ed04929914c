"""The list of sessions, and ending them."""

import jwt
import pytest

from services.auth.clients import records
from services.auth.db import db_sessions
from tests.fixtures.auth import AuthClient


def bearer(tokens: dict[str, str]) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['access_token']}"}


def sid_of(tokens: dict[str, str]) -> str:
    found: str = jwt.decode(tokens["access_token"], options={"verify_signature": False})["sid"]
    return found


async def log_in(auth: AuthClient, email: str) -> dict[str, str]:
    found: dict[str, str] = (await auth.login(email)).json()
    return found


async def test_list_when_logged_in_twice_has_both_sessions_with_device_and_address(
    auth: AuthClient, email: str
) -> None:
    phone = await log_in(auth, email)
    form = {"grant_type": "password", "username": email, "password": "a gate of nine hinges"}
    headers = {"User-Agent": f"Browser \x7f{'x' * 300}"}
    browser = (await auth.http.post("/auth/token", data=form, headers=headers)).json()
    items = (await auth.http.get("/auth/sessions", headers=bearer(browser))).json()["items"]
    assert [item["id"] for item in items] == [sid_of(browser), sid_of(phone)]
    assert [item["current"] for item in items] == [True, False]
    assert (items[0]["client"], items[0]["device"][:9], len(items[0]["device"])) == ("shop", "Browser  ", 200)
    assert items[0]["address"] == "127.0.0.1"
    refreshed = (await auth.refresh(phone["refresh_token"])).json()
    assert sid_of(refreshed) == sid_of(phone)
    items = (await auth.http.get("/auth/sessions", headers=bearer(browser))).json()["items"]
    assert items[0]["id"] == sid_of(phone), "the last used session is the first"
    assert items[0]["created_at"] < items[0]["last_used_at"]


async def test_end_session_when_it_is_another_one_ends_only_that_one(auth: AuthClient, email: str) -> None:
    mine, other = await log_in(auth, email), await log_in(auth, email)
    assert (await auth.http.delete(f"/auth/sessions/{sid_of(other)}", headers=bearer(mine))).status_code == 204
    assert (await auth.refresh(other["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await auth.refresh(mine["refresh_token"])).status_code == 200
    repeated = await auth.http.delete(f"/auth/sessions/{sid_of(other)}", headers=bearer(mine))
    assert (repeated.status_code, repeated.json()["code"]) == (404, "session_not_found")


async def test_end_session_when_it_belongs_to_another_account_is_not_found(auth: AuthClient, email: str) -> None:
    mine = await log_in(auth, email)
    strangers = await log_in(auth, (await auth.register()).json()["email"])
    answer = await auth.http.delete(f"/auth/sessions/{sid_of(mine)}", headers=bearer(strangers))
    assert (answer.status_code, answer.json()["code"]) == (404, "session_not_found")
    assert (await auth.refresh(mine["refresh_token"])).status_code == 200


async def test_end_other_sessions_ends_all_but_the_current_one_of_this_account(auth: AuthClient, email: str) -> None:
    mine, second, third = [await log_in(auth, email) for _ in range(3)]
    strangers = await log_in(auth, (await auth.register()).json()["email"])
    assert (await auth.http.delete("/auth/sessions", headers=bearer(mine))).status_code == 204
    for ended in (second, third):
        assert (await auth.refresh(ended["refresh_token"])).status_code == 400
    for kept in (mine, strangers):
        assert (await auth.refresh(kept["refresh_token"])).status_code == 200


async def test_end_session_when_the_session_of_the_token_has_just_ended_is_refused(
    auth: AuthClient, email: str
) -> None:
    thiefs, mine = await log_in(auth, email), await log_in(auth, email)
    assert (await auth.http.delete("/auth/sessions", headers=bearer(mine))).status_code == 204
    for path in ("/auth/sessions", f"/auth/sessions/{sid_of(mine)}"):
        assert (await auth.http.delete(path, headers=bearer(thiefs))).status_code == 401
    assert (await auth.refresh(mine["refresh_token"])).status_code == 200


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("DELETE", ""), ("DELETE", f"/{'a' * 22}")])
async def test_sessions_when_the_token_belongs_to_a_client_are_refused(
    auth: AuthClient, method: str, path: str
) -> None:
    async with db_sessions.begin() as session:
        created = await records.create(session, "reporter", {"orders:read"}, public=False)
    assert created is not None
    tokens = (await auth.token("client_credentials", client_id="reporter", client_secret=created.secret)).json()
    assert "sid" not in jwt.decode(tokens["access_token"], options={"verify_signature": False})
    answer = await auth.http.request(method, f"/auth/sessions{path}", headers=bearer(tokens))
    assert (answer.status_code, answer.json()["code"]) == (403, "account_needed")
