import asyncio

import pytest

from services.auth.accounts import routes
from services.auth.db import engine
from services.auth.settings import settings
from tests.fixtures.auth import PASSWORD, AuthClient


async def test_register_returns_the_account_without_the_password(auth: AuthClient) -> None:
    response = await auth.register("ada@example.com", name="  Ada ")
    body = response.json()
    assert response.status_code == 201
    assert set(body) == {"id", "email", "email_verified", "name", "created_at"}
    assert (body["email"], body["name"]) == ("ada@example.com", "Ada")
    assert PASSWORD not in response.text


async def test_register_when_the_address_differs_in_case_then_email_taken(auth: AuthClient) -> None:
    assert (await auth.register("Ada@Example.COM")).json()["email"] == "ada@example.com"
    repeated = await auth.register(" ada@example.com")
    assert (repeated.status_code, repeated.json()["code"]) == (409, "email_taken")


async def test_register_when_twenty_at_once_then_one_account_is_created(auth: AuthClient) -> None:
    responses = await asyncio.gather(*(auth.register("ada@example.com") for _ in range(20)))
    assert sorted(response.status_code for response in responses) == [201] + [409] * 19


@pytest.mark.parametrize("address", ["ada@shop.local", "ada@shop.test", "ada+tag@example.com", "ädà@exämple.com"])
async def test_register_when_the_address_is_unusual_then_created(auth: AuthClient, address: str) -> None:
    assert (await auth.register(address)).status_code == 201
    assert (await auth.login(address)).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"email": "ada@example.com"},
        {"email": "ada", "password": PASSWORD},
        {"email": "ada@localhost", "password": PASSWORD},
        {"email": "a\x00da@example.com", "password": PASSWORD},
        {"email": "a" * 400 + "@example.com", "password": PASSWORD},
        {"email": ["ada@example.com"], "password": PASSWORD},
        {"email": "ada@example.com", "password": "seven77"},
        {"email": "ada@example.com", "password": "x" * 100 + "y" * 29},
        {"email": "ada@example.com", "password": "a gate\x00of nine hinges"},
        {"email": "ada@example.com", "password": 12345678901},
        {"email": "ada@example.com", "password": None},
        {"email": "ada@example.com", "password": PASSWORD, "name": "A\x00da"},
        {"email": "ada@example.com", "password": PASSWORD, "name": "A" * 201},
    ],
)
async def test_register_when_a_field_is_invalid_then_invalid_request(auth: AuthClient, body: dict[str, object]) -> None:
    response = await auth.http.post("/auth/users", json=body)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'{"email":"ada@example.com","password":"\\ud800 and seven more"}'])
async def test_register_when_the_body_is_malformed_then_422(auth: AuthClient, raw: bytes) -> None:
    response = await auth.http.post("/auth/users", content=raw, headers={"Content-Type": "application/json"})
    assert response.status_code == 422


async def test_register_when_the_body_is_a_megabyte_then_413(auth: AuthClient) -> None:
    assert (await auth.register(password="x" * 1_000_000)).status_code == 413


@pytest.mark.parametrize(
    "password", ["Password123", "qwertyuiop", "aaaaaaaaaa", "ada.lovelace", "ada.lovelace@example.com"]
)
async def test_register_when_the_password_is_easy_then_refused(auth: AuthClient, password: str) -> None:
    response = await auth.register("ada.lovelace@example.com", password)
    assert (response.status_code, response.json()["code"]) == (422, "password_too_easy")


async def test_register_when_the_password_is_made_of_the_name_or_the_shop_then_refused(
    auth: AuthClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "settings", settings.model_copy(update={"auth_shop_name": "Kwik Mart"}))
    for password in ("zipporah obuya", "Zipporah1999", "KwikMart2026!"):
        response = await auth.register("zo@example.com", password, name="Zipporah Obuya")
        assert (response.status_code, response.json()["code"]) == (422, "password_too_easy"), password
    assert (await auth.register("zo@example.com", "a gate of nine hinges", name="Zipporah Obuya")).status_code == 201


@pytest.mark.parametrize("field", ["role", "scope", "pasword"])
async def test_register_when_a_field_is_unknown_then_refused(auth: AuthClient, field: str) -> None:
    response = await auth.register("eve@example.com", **{field: "admin"})
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert field in response.text
    assert (await auth.login("eve@example.com")).status_code == 400, "no account was created"


async def test_register_when_the_database_is_unavailable_then_503(
    auth: AuthClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ConnectionRefusedError(111, "refused")

    monkeypatch.setattr(engine.sync_engine.pool, "connect", refuse)
    response = await auth.register()
    assert (response.status_code, response.json()["code"], response.headers["retry-after"]) == (503, "unavailable", "1")
