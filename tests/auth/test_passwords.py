import pytest
from passlib.context import CryptContext
from sqlalchemy import select

from services.auth.db import sessions
from services.auth.models import Account
from services.auth.passwords import hashing
from tests.auth.conftest import Shop

LONG = "nine hinges, " * 6


@pytest.mark.parametrize(
    "password",
    [
        LONG[:72],
        LONG[:73],
        "hinge" + "é" * 120,
        "🚪" * 3 + "a gate of nine hinges",
        " spaces at both ends ",
        "ab" * 64 + "",
        "x1 " * 42 + "yz",
    ],
    ids=len,
)
async def test_every_character_counts(shop: Shop, password: str) -> None:
    assert (await shop.register("ada@example.com", password)).status_code == (201 if len(set(password)) > 2 else 422)
    if len(set(password)) > 2:
        assert (await shop.login("ada@example.com", password[:-1])).status_code == 400
        assert (await shop.login("ada@example.com", password[:-1] + "?")).status_code == 400
        assert (await shop.login("ada@example.com", password)).status_code == 200


async def test_a_password_is_taken_as_it_is_sent(shop: Shop) -> None:
    composed, decomposed = "caf\u00e9 on the corner", "cafe\u0301 on the corner"
    await shop.register("ada@example.com", composed)
    assert (await shop.login("ada@example.com", decomposed)).status_code == 400
    assert (await shop.login("ada@example.com", composed)).status_code == 200


async def _stored() -> str:
    async with sessions() as session:
        return (await session.execute(select(Account.password_hash))).scalar_one()


@pytest.mark.parametrize(("scheme", "rounds"), [("bcrypt", 4), ("argon2", 1), ("bcrypt_sha256", 4)])
async def test_older_hashes_are_upgraded_at_login(shop: Shop, scheme: str, rounds: int) -> None:
    old = CryptContext(schemes=[scheme], **{f"{scheme}__rounds": rounds}).hash("a gate of nine hinges")
    async with sessions.begin() as session:
        session.add(Account(email="ada@example.com", password_hash=old))
    assert (await shop.login("ada@example.com", "wrong password")).status_code == 400
    assert await _stored() == old
    assert (await shop.login("ada@example.com")).status_code == 200
    new = await _stored()
    assert new.startswith("$bcrypt-sha256$v=2,t=2b,r=10$")
    assert (await shop.login("ada@example.com")).status_code == 200
    assert await _stored() == new


@pytest.mark.parametrize("stored", ["", "!", "nonsense", "$2b$99$broken", "$argon2id$v=19$m=9999999999$x"])
async def test_a_stored_hash_that_is_none_lets_nobody_in(shop: Shop, stored: str) -> None:
    async with sessions.begin() as session:
        session.add(Account(email="ada@example.com", password_hash=stored))
    assert (await shop.login("ada@example.com")).status_code == 400


async def test_plain_bcrypt_and_a_long_password(shop: Shop) -> None:
    old = CryptContext(schemes=["bcrypt"], bcrypt__rounds=4).hash(LONG[:72])
    assert await hashing.verify(LONG[:73], old) == (False, None)
