"""Which password hashes of other systems are accepted: those that PasswordHasher verifies, at a cost that logins can bear.

A login with a wrong password takes as long as the most expensive stored hash (password_hashing.py), so one hash with extreme parameters
would slow down all logins, and could use up the memory of the service.
"""

import re

MAX_BCRYPT_COST = 13
"""0.4 s of processor time. Most systems use 10 to 12."""

MAX_ARGON2_KIB = 64 * 1024
"""The memory of one verification. It is also the default of PHP, argon2-cffi and passlib."""

MAX_ARGON2_WORK = 4 * MAX_ARGON2_KIB
"""Memory times passes: 64 MiB four times, as by default in PHP, take 0.2 s of processor time."""

MAX_ARGON2_LANES = 8

BCRYPT = re.compile(r"\$2[aby]\$(?P<cost>\d\d)\$[./A-Za-z0-9]{53}")
BCRYPT_SHA256 = re.compile(
    r"\$bcrypt-sha256\$(v=2,t=2b,r=(?P<cost>\d{1,2})|2[ab],(?P<old_cost>\d{1,2}))\$[./A-Za-z0-9]{22}\$[./A-Za-z0-9]{31}"
)
ARGON2 = re.compile(
    r"\$argon2(id|i|d)\$v=19\$m=(?P<memory>[1-9]\d{0,8}),t=(?P<passes>[1-9]\d{0,5}),p=(?P<lanes>[1-9]\d{0,3})"
    r"\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{22,86}"
)


def check_stored_hash(stored: str) -> str:
    """Return the hash. Raises ValueError, whose message does not contain it."""
    if found := BCRYPT.fullmatch(stored) or BCRYPT_SHA256.fullmatch(stored):
        groups = found.groupdict()
        _check_bcrypt_cost(int(groups["cost"] or groups["old_cost"]))
    elif found := ARGON2.fullmatch(stored):
        _check_argon2_parameters(*(int(found[name]) for name in ("memory", "passes", "lanes")))
    else:
        raise ValueError("must be a hash of bcrypt ($2a$, $2b$, $2y$), bcrypt_sha256 of passlib, or argon2 (v=19)")
    return stored


def _check_bcrypt_cost(cost: int) -> None:
    if not 4 <= cost <= MAX_BCRYPT_COST:
        raise ValueError(f"the cost of bcrypt must be between 4 and {MAX_BCRYPT_COST}")


def _check_argon2_parameters(memory: int, passes: int, lanes: int) -> None:
    if memory > MAX_ARGON2_KIB or memory * passes > MAX_ARGON2_WORK:
        raise ValueError(
            f"argon2 must use at most {MAX_ARGON2_KIB} KiB (m), and m times t must be at most {MAX_ARGON2_WORK}"
        )
    if lanes > MAX_ARGON2_LANES or memory < 8 * lanes:
        raise ValueError(f"argon2 must use at most {MAX_ARGON2_LANES} lanes (p), and at least 8 KiB for each")
