import asyncio

import pytest

from services.auth.db import engine
from tests.auth.conftest import PASSWORD, Shop


async def test_answers_the_account_and_never_the_password(shop: Shop) -> None:
    answer = await shop.register("ada@example.com", name="  Ada ")
    body = answer.json()
    assert answer.status_code == 201
    assert set(body) == {"id", "email", "name", "created_at"}
    assert (body["email"], body["name"]) == ("ada@example.com", "Ada")
    assert PASSWORD not in answer.text


async def test_one_address_is_one_account_however_it_is_written(shop: Shop) -> None:
    assert (await shop.register("Ada@Example.COM")).json()["email"] == "ada@example.com"
    again = await shop.register(" ada@example.com")
    assert (again.status_code, again.json()["code"]) == (409, "email_taken")


async def test_twenty_at_once_make_one_account(shop: Shop) -> None:
    answers = await asyncio.gather(*(shop.register("ada@example.com") for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 19


@pytest.mark.parametrize("address", ["ada@shop.local", "ada@shop.test", "ada+tag@example.com", "ädà@exämple.com"])
async def test_takes_addresses_that_no_dns_knows(shop: Shop, address: str) -> None:
    assert (await shop.register(address)).status_code == 201
    assert (await shop.login(address)).status_code == 200


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
async def test_refuses_what_cannot_be_an_account(shop: Shop, body: dict[str, object]) -> None:
    answer = await shop.http.post("/auth/users", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'{"email":"ada@example.com","password":"\\ud800 and seven more"}'])
async def test_refuses_what_is_no_json(shop: Shop, raw: bytes) -> None:
    answer = await shop.http.post("/auth/users", content=raw, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422


async def test_a_megabyte_is_not_even_read(shop: Shop) -> None:
    assert (await shop.register(password="x" * 1_000_000)).status_code == 413


@pytest.mark.parametrize(
    "password", ["Password123", "qwertyuiop", "aaaaaaaaaa", "ada.lovelace", "ada.lovelace@example.com"]
)
async def test_refuses_the_first_passwords_that_an_attacker_tries(shop: Shop, password: str) -> None:
    answer = await shop.register("ada.lovelace@example.com", password)
    assert (answer.status_code, answer.json()["code"]) == (422, "password_too_easy")


async def test_nobody_registers_as_admin(shop: Shop) -> None:
    await shop.register("eve@example.com", role="admin", scope="catalog:write")
    assert (await shop.login("eve@example.com")).json()["scope"] == "orders:write payments:write"


async def test_a_database_that_is_away_is_said_so(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ConnectionRefusedError(111, "refused")

    monkeypatch.setattr(engine.sync_engine.pool, "connect", refuse)
    answer = await shop.register()
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "unavailable", "1")
