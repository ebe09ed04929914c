import time
from collections.abc import AsyncIterator, Iterator

import pytest
from passlib.context import CryptContext

from services.auth.accounts.password_hashing import PasswordHasher

LONG = "nine hinges, " * 6


@pytest.fixture
def hasher() -> Iterator[PasswordHasher]:
    hasher = PasswordHasher.create("bcrypt_sha256", bcrypt_rounds=4, threads=2)
    yield hasher
    hasher.close()


@pytest.fixture(scope="module")
async def warm_hasher() -> AsyncIterator[PasswordHasher]:
    """A hasher whose hashes take long enough to be measured."""
    hasher = PasswordHasher.create("bcrypt_sha256", bcrypt_rounds=8, threads=2)
    await hasher.warm_up()
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


@pytest.mark.parametrize(
    "stored",
    [
        None,
        "not a hash",
        CryptContext(schemes=["bcrypt"], bcrypt__rounds=4).hash(LONG[:72]),
        CryptContext(schemes=["bcrypt_sha256"], bcrypt_sha256__rounds=4).hash(LONG),
        CryptContext(schemes=["argon2"], argon2__rounds=1, argon2__memory_cost=64).hash(LONG),
    ],
    ids=["no account", "not a hash", "bcrypt", "bcrypt_sha256", "argon2"],
)
@pytest.mark.parametrize("password", ["short", "x" * 128], ids=["short", "long"])
async def test_verify_when_it_fails_then_takes_the_same_work_for_every_scheme(
    warm_hasher: PasswordHasher, stored: str | None, password: str
) -> None:
    expected = warm_hasher.failure_seconds
    before = time.process_time()
    assert await warm_hasher.verify(password, stored) == (False, None)
    assert time.process_time() - before >= expected > 0


async def test_verify_when_a_stored_hash_is_more_expensive_then_all_failures_take_as_long(
    hasher: PasswordHasher,
) -> None:
    await hasher.warm_up()
    cheap = hasher.failure_seconds
    await hasher.verify("wrong", CryptContext(schemes=["bcrypt"], bcrypt__rounds=9).hash("right"))
    assert hasher.failure_seconds > 5 * cheap
    before = time.process_time()
    await hasher.verify("wrong", None)
    assert time.process_time() - before >= hasher.failure_seconds
