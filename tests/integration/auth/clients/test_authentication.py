import base64

import jwt
import pytest

from services.auth.clients import records
from services.auth.db import sessions
from tests.fixtures.auth import PASSWORD, AuthClient


@pytest.fixture
async def secret() -> str:
    """The secret of the client `reporter`, which can read orders and payments."""
    async with sessions.begin() as session:
        return await records.create(session, "reporter", {"orders:read", "payments:read"})


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


async def test_client_credentials_when_sent_twice_then_invalid_request(auth: AuthClient, secret: str) -> None:
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


async def test_login_when_a_client_sends_its_secret_then_unauthorized_client(
    auth: AuthClient, secret: str, email: str
) -> None:
    response = await auth.login(email, client_id="reporter", client_secret=secret)
    assert (response.status_code, response.json()["error"]) == (400, "unauthorized_client")


async def test_login_when_the_public_client_sends_its_id_then_succeeds(auth: AuthClient, email: str) -> None:
    form = {"grant_type": "password", "username": email, "password": PASSWORD}
    for headers in ({}, basic("", ""), basic("shop", "")):
        response = await auth.http.post("/auth/token", data={**form, "client_id": "shop"}, headers=headers)
        assert response.status_code == 200
