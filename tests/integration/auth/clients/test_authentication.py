import base64

import jwt
import pytest

from services.auth.clients import records
from services.auth.db import db_sessions
from tests.fixtures.auth import PASSWORD, AuthClient


@pytest.fixture
async def secret() -> str:
    """The secret of the client `reporter`, which can read orders and payments."""
    async with db_sessions.begin() as session:
        created = await records.create(session, "reporter", {"orders:read", "payments:read"}, public=False)
    assert created is not None
    return created.secret


@pytest.fixture
async def kiosk() -> str:
    """A public client whose tokens can place orders only."""
    async with db_sessions.begin() as session:
        await records.create(session, "kiosk", {"orders:write"}, public=True)
    return "kiosk"


def basic(name: str, secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()}


async def test_client_credentials_returns_a_token_for_the_client(auth: AuthClient, secret: str) -> None:
    in_form = await auth.token("client_credentials", client_id="reporter", client_secret=secret)
    in_header = await auth.http.post(
        "/auth/token", data={"grant_type": "client_credentials"}, headers=basic("reporter", secret)
    )
    for response in (in_form, in_header):
        assert response.status_code == 200
        assert set(response.json()) == {"access_token", "token_type", "expires_in", "scope"}
        assert response.json()["scope"] == "orders:read payments:read"
    claims = jwt.decode(in_form.json()["access_token"], options={"verify_signature": False})
    assert (claims["sub"], claims["client_id"], "email" in claims) == ("reporter", "reporter", False)
    me = await auth.me(in_form.json()["access_token"])
    assert (me.status_code, me.json()["code"]) == (403, "account_needed")


async def test_client_credentials_when_a_scope_is_requested_then_at_most_the_clients_own(
    auth: AuthClient, secret: str
) -> None:
    credentials = {"client_id": "reporter", "client_secret": secret}
    assert (await auth.token("client_credentials", **credentials, scope="orders:read")).json()["scope"] == "orders:read"
    assert (await auth.token("client_credentials", **credentials, scope="orders:write")).json()[
        "error"
    ] == "invalid_scope"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic("reporter", "wrong"),
        basic("reporter", ""),
        basic("unknown", "wrong"),
        basic("shop", "wrong"),
        basic("\x00", "\x00"),
        {"Authorization": "Basic"},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic " + base64.b64encode(b"\xff\xfe").decode()},
    ],
    ids=str,
)
async def test_client_credentials_when_not_authenticated_then_invalid_client(
    auth: AuthClient, secret: str, headers: dict[str, str]
) -> None:
    response = await auth.http.post("/auth/token", data={"grant_type": "client_credentials"}, headers=headers)
    assert (response.status_code, response.json()["error"]) == (401, "invalid_client")
    assert response.headers["www-authenticate"].startswith("Basic")


async def test_client_credentials_when_in_header_and_form_then_invalid_request(auth: AuthClient, secret: str) -> None:
    form = {"grant_type": "client_credentials", "client_id": "reporter", "client_secret": secret}
    response = await auth.http.post("/auth/token", data=form, headers=basic("reporter", secret))
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize(("form_id", "status"), [("reporter", 200), ("another", 400), ("shop", 400)])
async def test_client_credentials_when_header_and_form_name_clients_then_they_must_be_the_same(
    auth: AuthClient, secret: str, form_id: str, status: int
) -> None:
    form = {"grant_type": "client_credentials", "client_id": form_id}
    response = await auth.http.post("/auth/token", data=form, headers=basic("reporter", secret))
    assert response.status_code == status
    assert response.json().get("error") in {None, "invalid_request"}


async def test_client_credentials_when_the_client_has_two_secrets_then_both_work_until_one_is_removed(
    auth: AuthClient, secret: str
) -> None:
    async with db_sessions.begin() as session:
        new = await records.add_secret(session, "reporter")
        ((_, (first, second)),) = [found for found in await records.list_all(session) if found[0].id == "reporter"]
        assert (first.last_used_at, second.id) == (None, new.id)
    for sent in (secret, new.secret):
        assert (await auth.token("client_credentials", client_id="reporter", client_secret=sent)).status_code == 200
    async with db_sessions.begin() as session:
        ((_, used),) = [found for found in await records.list_all(session) if found[0].id == "reporter"]
        assert all(each.last_used_at is not None for each in used)
        await records.remove_secret(session, "reporter", first.id)
    for sent, status in ((secret, 401), (new.secret, 200)):
        assert (await auth.token("client_credentials", client_id="reporter", client_secret=sent)).status_code == status


async def test_client_credentials_when_the_scopes_were_changed_then_new_tokens_have_the_new_ones(
    auth: AuthClient, secret: str
) -> None:
    async with db_sessions.begin() as session:
        assert await records.set_scopes(session, "reporter", {"audit:read"}) == (
            "orders:read payments:read",
            "audit:read",
        )
    response = await auth.token("client_credentials", client_id="reporter", client_secret=secret)
    assert response.json()["scope"] == "audit:read"


async def test_client_credentials_when_the_client_is_public_then_unauthorized_client(
    auth: AuthClient, kiosk: str
) -> None:
    response = await auth.token("client_credentials", client_id=kiosk)
    assert (response.status_code, response.json()["error"]) == (400, "unauthorized_client")


async def test_login_when_a_program_sends_its_secret_then_unauthorized_client(
    auth: AuthClient, secret: str, email: str
) -> None:
    response = await auth.login(email, client_id="reporter", client_secret=secret)
    assert (response.status_code, response.json()["error"]) == (400, "unauthorized_client")


async def test_guest_when_a_program_asks_for_it_then_the_error_says_that_a_program_has_no_guests(
    auth: AuthClient, secret: str
) -> None:
    response = await auth.http.post("/auth/guests", data={"client_id": "reporter", "client_secret": secret})
    assert (response.status_code, response.json()["error"]) == (400, "unauthorized_client")
    assert response.json()["error_description"].startswith("A client with a secret cannot create guests.")


@pytest.mark.parametrize(
    "client",
    [
        {"client_id": "unknown"},
        {"client_id": "Shop"},
        {"client_id": "\x00"},
        {"client_id": "reporter"},
        {"client_id": "reporter", "client_secret": "wrong"},
        {"client_id": "shop", "client_secret": "wrong"},
        {"client_secret": "wrong"},
    ],
    ids=str,
)
async def test_every_request_when_the_client_is_unknown_or_its_secret_wrong_then_invalid_client(
    auth: AuthClient, secret: str, email: str, client: dict[str, str]
) -> None:
    tokens = (await auth.login(email)).json()
    responses = [
        await auth.login(email, **client),
        await auth.refresh(tokens["refresh_token"], **client),
        await auth.token("client_credentials", **client),
        await auth.http.post("/auth/revoke", data={"token": tokens["refresh_token"], **client}),
    ]
    assert {(response.status_code, response.json()["error"]) for response in responses} == {(401, "invalid_client")}
    assert (await auth.refresh(tokens["refresh_token"])).status_code == 200, "the session goes on"


async def test_login_when_the_default_client_sends_its_id_then_succeeds(auth: AuthClient, email: str) -> None:
    form = {"grant_type": "password", "username": email, "password": PASSWORD}
    for headers in ({}, basic("", ""), basic("shop", "")):
        response = await auth.http.post("/auth/token", data={**form, "client_id": "shop"}, headers=headers)
        assert response.status_code == 200


async def test_login_of_a_public_client_returns_tokens_with_its_id_and_at_most_its_scopes(
    auth: AuthClient, kiosk: str, email: str
) -> None:
    tokens = (await auth.login(email, client_id=kiosk)).json()
    refreshed = (await auth.refresh(tokens["refresh_token"], client_id=kiosk)).json()
    unnamed = (await auth.refresh(refreshed["refresh_token"])).json()
    claims = [
        jwt.decode(each["access_token"], options={"verify_signature": False}) for each in (tokens, refreshed, unnamed)
    ]
    assert {(each["client_id"], each["scope"]) for each in claims} == {("kiosk", "orders:write")}
    assert len({each["sid"] for each in claims}) == 1
    assert (await auth.login(email, client_id=kiosk, scope="payments:write")).json()["error"] == "invalid_scope"


async def test_refresh_when_the_scopes_of_the_public_client_were_reduced_then_new_tokens_have_fewer(
    auth: AuthClient, email: str
) -> None:
    async with db_sessions.begin() as session:
        await records.create(session, "kiosk", {"orders:write", "payments:write"}, public=True)
    token = (await auth.login(email, client_id="kiosk")).json()["refresh_token"]
    async with db_sessions.begin() as session:
        await records.set_scopes(session, "kiosk", {"payments:write"})
    assert (await auth.refresh(token)).json()["scope"] == "payments:write"


async def test_refresh_when_another_client_sends_the_token_then_refused_and_the_session_goes_on(
    auth: AuthClient, kiosk: str, email: str
) -> None:
    token = (await auth.login(email, client_id=kiosk)).json()["refresh_token"]
    refused = await auth.refresh(token, client_id="shop")
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    refused = await auth.http.post("/auth/revoke", data={"token": token, "client_id": "shop"})
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    assert (await auth.refresh(token, client_id=kiosk)).status_code == 200


async def test_remove_when_a_client_has_sessions_then_they_end(auth: AuthClient, kiosk: str, email: str) -> None:
    tokens = (await auth.login(email, client_id=kiosk)).json()
    async with db_sessions.begin() as session:
        await records.remove(session, kiosk)
    assert (await auth.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await auth.me(tokens["access_token"])).status_code == 401
    assert (await auth.login(email, client_id=kiosk)).json()["error"] == "invalid_client"
