from collections.abc import Iterator

import pytest
from passlib.context import CryptContext

from services.auth.accounts.password_hashing import PasswordHasher
from services.auth.management.stored_hashes import check_stored_hash

PASSWORD = "a gate of nine hinges"
BCRYPT = CryptContext(schemes=["bcrypt"], bcrypt__rounds=4).hash(PASSWORD)
DIGEST = "c2FsdHNhbHRzYWx0$" + "A" * 43


@pytest.fixture
def hasher() -> Iterator[PasswordHasher]:
    hasher = PasswordHasher.create("argon2", bcrypt_rounds=4, threads=1)
    yield hasher
    hasher.close()


@pytest.mark.parametrize(
    "stored",
    [
        BCRYPT,
        BCRYPT.replace("$2b$", "$2y$"),
        BCRYPT.replace("$2b$", "$2a$"),
        CryptContext(schemes=["bcrypt_sha256"], bcrypt_sha256__rounds=4).hash(PASSWORD),
        CryptContext(schemes=["bcrypt_sha256"], bcrypt_sha256__rounds=4, bcrypt_sha256__version=1).hash(PASSWORD),
        *(
            CryptContext(schemes=["argon2"], argon2__type=kind, argon2__memory_cost=1024, argon2__rounds=2).hash(
                PASSWORD
            )
            for kind in ("ID", "I", "D")
        ),
    ],
    ids=["2b", "2y", "2a", "bcrypt_sha256", "bcrypt_sha256 version 1", "argon2id", "argon2i", "argon2d"],
)
async def test_check_when_the_hash_is_accepted_then_the_hasher_verifies_it(hasher: PasswordHasher, stored: str) -> None:
    assert check_stored_hash(stored) == stored
    assert (await hasher.verify(PASSWORD, stored))[0]
    assert not (await hasher.verify("wrong", stored))[0]


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "5f4dcc3b5aa765d61d8327deb882cf99",
        "$6$rounds=5000$salt$digest",
        BCRYPT[:-1],
        BCRYPT + "\n",
        BCRYPT.replace("$2b$", "$2x$"),
        f"$2b$14{BCRYPT[6:]}",
        f"$2b$31{BCRYPT[6:]}",
        f"$2b$03{BCRYPT[6:]}",
        "$bcrypt-sha256$v=2,t=2b,r=31$" + "A" * 22 + "$" + "A" * 31,
        "$bcrypt-sha256$2a,31$" + "A" * 22 + "$" + "A" * 31,
        f"$argon2id$v=19$m=65537,t=1,p=1${DIGEST}",
        f"$argon2id$v=19$m=4194304,t=1,p=1${DIGEST}",
        f"$argon2id$v=19$m=65536,t=5,p=1${DIGEST}",
        f"$argon2id$v=19$m=8,t=99999,p=1${DIGEST}",
        f"$argon2id$v=19$m=65536,t=1,p=9${DIGEST}",
        f"$argon2id$v=19$m=16,t=1,p=4${DIGEST}",
        f"$argon2id$v=19$m=0,t=1,p=1${DIGEST}",
        "$argon2id$v=19$m=1024,t=1,p=1$c2FsdA$AAAA",
    ],
    ids=[
        f"refused {number}" for number in range(19)
    ],  # the hashes have random salts, and names must be the same in all processes
)
def test_check_when_the_scheme_is_unknown_or_its_cost_too_high_then_refused_without_quoting_the_hash(
    stored: str,
) -> None:
    with pytest.raises(ValueError, match="must") as error:
        check_stored_hash(stored)
    assert not stored or stored not in str(error.value)
