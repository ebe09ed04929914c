"""POST /auth/revoke ends the session of a refresh token or an access token."""

import jwt
import pytest

from services.auth.clients import records
from services.auth.db import db_sessions
from tests.fixtures.auth import AuthClient


@pytest.mark.parametrize("kind", ["refresh_token", "access_token"])
async def test_revoke_when_the_token_is_valid_then_the_session_ends_and_others_go_on(
    auth: AuthClient, email: str, kind: str
) -> None:
    one, other = (await auth.login(email)).json(), (await auth.login(email)).json()
    assert (await auth.me(one["access_token"])).status_code == 200
    assert (await auth.revoke(one[kind])).status_code == 200
    assert (await auth.refresh(one["refresh_token"])).json()["error"] == "invalid_grant"
    refused = await auth.me(one["access_token"])
    assert (refused.status_code, refused.json()["code"]) == (401, "not_authenticated")
    assert (await auth.me(other["access_token"])).status_code == 200
    assert (await auth.refresh(other["refresh_token"])).status_code == 200


async def test_revoke_when_an_older_access_token_is_sent_then_the_session_ends(auth: AuthClient, email: str) -> None:
    login = (await auth.login(email)).json()
    refreshed = (await auth.refresh(login["refresh_token"])).json()
    assert (await auth.revoke(login["access_token"])).status_code == 200
    assert (await auth.refresh(refreshed["refresh_token"])).status_code == 400


async def test_revoke_when_the_access_token_is_forged_then_200_without_effect(auth: AuthClient, email: str) -> None:
    tokens = (await auth.login(email)).json()
    claims = jwt.decode(tokens["access_token"], options={"verify_signature": False})
    header = jwt.get_unverified_header(tokens["access_token"])
    forged = jwt.encode(claims, "x" * 32, "HS256", {"typ": "at+jwt", "kid": header["kid"]})
    for token in (forged, tokens["access_token"][:-8] + "AAAAAAAA", "a.b.c", "x"):
        assert (await auth.revoke(token)).status_code == 200
    assert (await auth.me(tokens["access_token"])).status_code == 200


async def test_revoke_when_the_access_token_belongs_to_another_client_then_refused(
    auth: AuthClient, email: str
) -> None:
    async with db_sessions.begin() as session:
        await records.create(session, "kiosk", {"orders:write"}, public=True)
    token = (await auth.login(email)).json()["access_token"]
    refused = await auth.http.post("/auth/revoke", data={"token": token, "client_id": "kiosk"})
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    assert (await auth.me(token)).status_code == 200


async def test_revoke_when_the_token_is_of_a_program_then_only_this_token_is_revoked(auth: AuthClient) -> None:
    async with db_sessions.begin() as session:
        created = await records.create(session, "reporter", {"orders:read"}, public=False)
    assert created is not None
    program = {"client_id": "reporter", "client_secret": created.secret}
    token, _ = [(await auth.token("client_credentials", **program)).json()["access_token"] for _ in range(2)]
    assert (await auth.http.post("/auth/revoke", data={"token": token, **program})).status_code == 200
    revoked = (await auth.http.get("/auth/revocations")).json()
    assert revoked["tokens"] == [jwt.decode(token, options={"verify_signature": False})["jti"]]
    assert (revoked["sessions"], revoked["subjects"]) == ([], {})
