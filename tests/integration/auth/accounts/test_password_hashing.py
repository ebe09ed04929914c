import pytest
from passlib.context import CryptContext
from sqlalchemy import select

from services.auth.db import db_sessions
from services.auth.models import Account
from tests.fixtures.auth import AuthClient
from tests.fixtures.auth_app import BCRYPT_ROUNDS

LONG = "nine hinges, " * 6


@pytest.mark.parametrize(
    "password",
    [
        LONG[:72],
        LONG[:73],
        "hinge" + "é" * 120,
        "🚪" * 3 + "a gate of nine hinges",
        " spaces at both ends ",
        ("a gate of nine hinges, " + "seven locks, " * 9)[:128],
    ],
    ids=len,
)
async def test_login_when_the_last_character_of_the_password_differs_then_refused(
    auth: AuthClient, password: str
) -> None:
    assert (await auth.register("ada@example.com", password)).status_code == 201
    assert (await auth.login("ada@example.com", password[:-1])).status_code == 400
    assert (await auth.login("ada@example.com", password[:-1] + "?")).status_code == 400
    assert (await auth.login("ada@example.com", password)).status_code == 200


COMPOSED, DECOMPOSED = "caf\u00e9 on the corner", "cafe\u0301 on the corner"


@pytest.mark.parametrize("password", [COMPOSED, DECOMPOSED], ids=["composed", "decomposed"])
async def test_login_when_the_keyboard_composes_letters_differently_then_granted(
    auth: AuthClient, password: str
) -> None:
    await auth.register("ada@example.com", password)
    for sent in (COMPOSED, DECOMPOSED):
        assert (await auth.login("ada@example.com", sent)).status_code == 200
        assert (await auth.login("ada@example.com", sent + "?")).status_code == 400


async def test_login_when_the_hash_is_of_a_decomposed_password_then_upgraded(auth: AuthClient) -> None:
    old = CryptContext(schemes=["bcrypt_sha256"], bcrypt_sha256__rounds=10).hash(DECOMPOSED)
    async with db_sessions.begin() as session:
        session.add(Account(email="ada@example.com", password_hash=old))
    assert (await auth.login("ada@example.com", COMPOSED)).status_code == 400
    assert (await auth.login("ada@example.com", DECOMPOSED)).status_code == 200
    assert await _stored_hash() != old
    assert (await auth.login("ada@example.com", COMPOSED)).status_code == 200


async def _stored_hash() -> str | None:
    async with db_sessions() as session:
        return (await session.execute(select(Account.password_hash))).scalar_one()


@pytest.mark.parametrize(("scheme", "rounds"), [("bcrypt", 4), ("argon2", 1), ("bcrypt_sha256", 4)])
async def test_login_when_the_hash_is_outdated_then_upgraded(auth: AuthClient, scheme: str, rounds: int) -> None:
    old = CryptContext(schemes=[scheme], **{f"{scheme}__rounds": rounds}).hash("a gate of nine hinges")
    async with db_sessions.begin() as session:
        session.add(Account(email="ada@example.com", password_hash=old))
    assert (await auth.login("ada@example.com", "wrong password")).status_code == 400
    assert await _stored_hash() == old
    assert (await auth.login("ada@example.com")).status_code == 200
    new = await _stored_hash()
    assert new is not None
    assert new.startswith(f"$bcrypt-sha256$v=2,t=2b,r={BCRYPT_ROUNDS}$")
    assert (await auth.login("ada@example.com")).status_code == 200
    assert await _stored_hash() == new


@pytest.mark.parametrize("stored", ["", "!", "nonsense", "$2b$99$broken", "$argon2id$v=19$m=9999999999$x"])
async def test_login_when_the_stored_hash_is_invalid_then_refused(auth: AuthClient, stored: str) -> None:
    async with db_sessions.begin() as session:
        session.add(Account(email="ada@example.com", password_hash=stored))
    assert (await auth.login("ada@example.com")).status_code == 400
