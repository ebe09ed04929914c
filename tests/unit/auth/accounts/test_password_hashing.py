from collections.abc import Iterator

import pytest
from passlib.context import CryptContext

from services.auth.accounts.password_hashing import PasswordHasher

LONG = "nine hinges, " * 6


@pytest.fixture
def hasher() -> Iterator[PasswordHasher]:
    hasher = PasswordHasher.create("bcrypt_sha256", bcrypt_rounds=4)
    yield hasher
    hasher.close()


async def test_verify_when_plain_bcrypt_and_over_72_bytes_then_refused(hasher: PasswordHasher) -> None:
    stored_hash = CryptContext(schemes=["bcrypt"], bcrypt__rounds=4).hash(LONG[:72])
    assert await hasher.verify(LONG[:73], stored_hash) == (False, None)


async def test_verify_when_the_scheme_is_outdated_then_returns_a_new_hash(hasher: PasswordHasher) -> None:
    stored_hash = CryptContext(schemes=["bcrypt"], bcrypt__rounds=4).hash(LONG[:72])
    right, new_hash = await hasher.verify(LONG[:72], stored_hash)
    assert right
    assert new_hash is not None
    assert await hasher.verify(LONG[:72], new_hash) == (True, None)


async def test_verify_when_there_is_no_stored_hash_then_refused(hasher: PasswordHasher) -> None:
    assert await hasher.verify(LONG, None) == (False, None)
