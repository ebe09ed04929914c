"""GET /auth/check, for gateways that ask before they pass a request on."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jwt
import pytest
from sqlalchemy import event

from services.auth.clients import records
from services.auth.db import db_sessions, engine, reading_engine
from tests.fixtures.auth import AuthClient


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@contextmanager
def counted_statements() -> Iterator[list[str]]:
    """Collect the statements that auth sends to the database."""
    found: list[str] = []

    def count(_: Any, __: Any, statement: str, *___: Any) -> None:
        found.append(statement)

    engines = (engine.sync_engine, reading_engine.sync_engine)
    for each in engines:
        event.listen(each, "before_cursor_execute", count)
    yield found
    for each in engines:
        event.remove(each, "before_cursor_execute", count)


async def test_check_when_the_token_belongs_to_an_account_names_it_without_a_query(
    auth: AuthClient, email: str
) -> None:
    token = (await auth.login(email)).json()["access_token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    with counted_statements() as statements:
        answer = await auth.http.get("/auth/check", headers=bearer(token))
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["x-auth-subject"] == claims["sub"]
    assert answer.headers["x-auth-scope"].split() == sorted(claims["scope"].split())
    assert answer.headers["x-auth-session"] == claims["sid"]
    assert answer.headers["cache-control"] == "no-store"
    # auth also polls the revocations, at any time.
    assert [statement for statement in statements if "revocations" not in statement] == []


async def test_check_when_the_token_belongs_to_a_program_has_no_session(auth: AuthClient) -> None:
    async with db_sessions.begin() as session:
        created = await records.create(session, "reporter", {"orders:read"}, public=False)
    assert created is not None
    tokens = (await auth.token("client_credentials", client_id="reporter", client_secret=created.secret)).json()
    answer = await auth.http.get("/auth/check", headers=bearer(tokens["access_token"]))
    assert (answer.status_code, answer.headers["x-auth-scope"]) == (200, "orders:read")
    assert "x-auth-session" not in answer.headers


@pytest.mark.parametrize("headers", [{}, bearer("x"), {"Authorization": "Basic eDp5"}, {"X-Auth-Subject": "someone"}])
async def test_check_when_there_is_no_valid_token_is_refused(auth: AuthClient, headers: dict[str, str]) -> None:
    answer = await auth.http.get("/auth/check", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert not [name for name in answer.headers if name.startswith("x-auth-")]
