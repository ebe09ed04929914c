import base64
from uuid import UUID

import jwt
import pytest

from services.auth import clients
from services.auth.db import sessions
from tests.auth.conftest import PASSWORD, Shop


@pytest.fixture
async def secret() -> str:
    """Of the client `reporter`, which may read orders and payments."""
    async with sessions.begin() as session:
        return await clients.create(session, "reporter", {"orders:read", "payments:read"})


def basic(name: str, secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()}


async def test_acts_for_itself(shop: Shop, secret: str) -> None:
    in_form = await shop.token("client_credentials", client_id="reporter", client_secret=secret)
    in_header = await shop.http.post(
        "/auth/token", data={"grant_type": "client_credentials"}, headers=basic("reporter", secret)
    )
    for answer in (in_form, in_header):
        assert answer.status_code == 200
        assert set(answer.json()) == {"access_token", "token_type", "expires_in", "scope"}
        assert answer.json()["scope"] == "orders:read payments:read"
    claims = jwt.decode(in_form.json()["access_token"], options={"verify_signature": False})
    assert (claims["sub"], claims["client_id"], "email" in claims) == ("reporter", "reporter", False)
    me = await shop.me(in_form.json()["access_token"])
    assert (me.status_code, me.json()["code"]) == (403, "account_needed")


async def test_may_ask_for_less_and_never_for_more(shop: Shop, secret: str) -> None:
    who = {"client_id": "reporter", "client_secret": secret}
    assert (await shop.token("client_credentials", **who, scope="orders:read")).json()["scope"] == "orders:read"
    assert (await shop.token("client_credentials", **who, scope="orders:write")).json()["error"] == "invalid_scope"


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
async def test_without_the_secret_there_is_nothing(shop: Shop, secret: str, headers: dict[str, str]) -> None:
    answer = await shop.http.post("/auth/token", data={"grant_type": "client_credentials"}, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert answer.headers["www-authenticate"].startswith("Basic")


async def test_says_who_it_is_in_one_way(shop: Shop, secret: str) -> None:
    form = {"grant_type": "client_credentials", "client_id": "reporter", "client_secret": secret}
    answer = await shop.http.post("/auth/token", data=form, headers=basic("reporter", secret))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_logs_nobody_in(shop: Shop, secret: str, email: str) -> None:
    answer = await shop.login(email, client_id="reporter", client_secret=secret)
    assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client")


async def test_the_public_client_may_say_its_name(shop: Shop, email: str) -> None:
    form = {"grant_type": "password", "username": email, "password": PASSWORD}
    for headers in ({}, basic("", ""), basic("shop", "")):
        answer = await shop.http.post("/auth/token", data={**form, "client_id": "shop"}, headers=headers)
        assert answer.status_code == 200


@pytest.mark.parametrize("name", ["", "shop", "Reporter", "a b", "a" * 31, str(UUID(int=10**38)), UUID(int=10**38).hex])
async def test_a_name_is_never_an_account(name: str) -> None:
    async with sessions.begin() as session:
        with pytest.raises(ValueError, match="cannot be"):
            await clients.create(session, name, {"orders:read"})


async def test_a_name_is_taken_once_and_scopes_are_known(secret: str) -> None:
    async with sessions.begin() as session:
        with pytest.raises(ValueError, match="there is a client"):
            await clients.create(session, "reporter", {"orders:read"})
        with pytest.raises(ValueError, match="unknown scope: all"):
            await clients.create(session, "another", {"all"})
