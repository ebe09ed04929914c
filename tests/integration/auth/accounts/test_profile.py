"""The owner changes the account; tokens that are issued afterwards say so."""

from typing import Any

import jwt
from sqlalchemy import func, select, update

from services.auth.db import db_sessions
from services.auth.models import Account, OutboxRow
from tests.fixtures.auth import AuthClient


def claims(tokens: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(tokens["access_token"], options={"verify_signature": False})
    return found


async def test_name_when_changed_is_in_the_account_and_in_later_tokens(auth: AuthClient) -> None:
    await auth.register("ada@example.com", name="Ada")
    tokens = (await auth.login("ada@example.com")).json()
    assert (claims(tokens)["name"], claims(tokens)["email_verified"]) == ("Ada", False)
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    changed = await auth.http.patch("/auth/me", json={"name": " Ada Obi "}, headers=headers)
    assert (changed.status_code, changed.json()["name"]) == (200, "Ada Obi")
    async with db_sessions() as session:
        assert [row.type for row in await session.scalars(select(OutboxRow))] == ["account.changed"]
    assert (await auth.http.patch("/auth/me", json={}, headers=headers)).json()["name"] == "Ada Obi"
    async with db_sessions.begin() as session:
        await session.execute(update(Account).values(email_verified_at=func.now()))
    tokens = (await auth.refresh(tokens["refresh_token"])).json()
    assert (claims(tokens)["name"], claims(tokens)["email_verified"]) == ("Ada Obi", True)
    assert (await auth.http.patch("/auth/me", json={"name": None}, headers=headers)).json()["name"] is None
    assert "name" not in claims((await auth.login("ada@example.com")).json())


async def test_profile_when_a_field_is_not_the_owners_to_change_is_refused(auth: AuthClient, email: str) -> None:
    headers = await auth.logged_in(email)
    for body in ({"email": "eve@example.com"}, {"role": "admin"}, {"email_verified": True}, {"name": "a\nb"}):
        answer = await auth.http.patch("/auth/me", json=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
