"""Signing keys: a folder of private keys in PEM. All are published, the newest one signs.

The name of a file is the time when its key was made, so the newest is the last by name. A new key is published for a while before it
signs: by then every verifier that looks at the JWKS has it. A key that is alone signs at once.
"""

import asyncio
import base64
import fcntl
import hashlib
import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import structlog
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from kit.errors import Unavailable
from services.auth.settings import settings

LOOK_SECONDS = 2.0
RSA_BITS = 2048
REQUIRED_MEMBERS = {"RSA": ("e", "kty", "n"), "EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x")}
Kind = Literal["rsa", "p256", "ed25519"]
PrivateKey = RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey
log = structlog.get_logger("keys")


class KeysUnusable(Exception):
    """The folder of signing keys cannot be used as it is."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    kid: str
    algorithm: str
    private: PrivateKey
    jwk: dict[str, Any]
    """The public half (RFC 7517)."""
    since: float
    """When the file came, in seconds since the epoch."""


def thumbprint(jwk: dict[str, Any]) -> str:
    """RFC 7638, with SHA-256."""
    members = {name: jwk[name] for name in REQUIRED_MEMBERS[jwk["kty"]]}
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(hashlib.sha256(canonical).digest()).rstrip(b"=").decode()


def _signing_key(private: object, since: float) -> SigningKey:
    """The algorithm follows from the key. Raises ValueError for a key of another kind."""
    jwk: dict[str, Any]
    if isinstance(private, RSAPrivateKey) and private.key_size >= RSA_BITS:
        algorithm, jwk = "RS256", RSAAlgorithm.to_jwk(private.public_key(), as_dict=True)
    elif isinstance(private, EllipticCurvePrivateKey) and isinstance(private.curve, SECP256R1):
        algorithm, jwk = "ES256", ECAlgorithm.to_jwk(private.public_key(), as_dict=True)
    elif isinstance(private, Ed25519PrivateKey):
        algorithm, jwk = "EdDSA", OKPAlgorithm.to_jwk(private.public_key(), as_dict=True)
    else:
        raise ValueError(f"is none of: RSA of {RSA_BITS} bits or more, P-256, Ed25519")
    jwk = {name: value for name, value in jwk.items() if name != "key_ops"}  # RFC 7517 section 4.3: `use`, or key_ops
    kid = thumbprint(jwk)
    return SigningKey(kid, algorithm, private, {**jwk, "use": "sig", "alg": algorithm, "kid": kid}, since)


def _files(folder: Path) -> list[tuple[Path, os.stat_result]]:
    """Oldest first."""
    try:
        found = [path for path in sorted(folder.glob("*.pem")) if not path.name.startswith(".")]
        return [(path, path.stat()) for path in found]
    except OSError as error:
        raise KeysUnusable(f"{folder}: cannot be read: {error.strerror}") from error


def read(folder: Path) -> list[SigningKey]:
    """The keys in the folder, oldest first. Raises KeysUnusable where there is none, or one that cannot be read."""
    found = []
    for path, stat in _files(folder):
        try:
            found.append(_signing_key(load_pem_private_key(path.read_bytes(), password=None), stat.st_mtime))
        except OSError as error:
            raise KeysUnusable(f"{path}: cannot be read: {error.strerror}") from error
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise KeysUnusable(f"{path}: {error}") from error
        if stat.st_mode & 0o007:
            log.warning("a signing key can be read by everybody on this machine: chmod 600", file=str(path))
    if not found:
        raise KeysUnusable(f"{folder}: no signing key; `python -m services.auth keys` makes one")
    return found


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One at a time, also between processes: two commands started together make one first key."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _write(folder: Path, kind: Kind) -> Path:
    private: PrivateKey
    match kind:
        case "rsa":
            private = generate_rsa(public_exponent=65537, key_size=RSA_BITS)
        case "p256":
            private = generate_ec(SECP256R1())
        case "ed25519":
            private = Ed25519PrivateKey.generate()
    kid = _signing_key(private, 0).kid
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = folder / f"{datetime.now(UTC):%Y-%m-%dT%H%M%S.%fZ}-{kid[:8]}.pem"
    unfinished = folder / f".{secrets.token_hex(8)}"
    with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)
    return path


def make_first(folder: Path, kind: Kind) -> Path | None:
    """A key in a folder that has none; None where there is one."""
    with _locked(folder):
        return None if _files(folder) else _write(folder, kind)


def rotate(folder: Path, kind: Kind) -> Path:
    """One more key: it signs from now on (after its activation), the older ones go on being published."""
    with _locked(folder):
        return _write(folder, kind)


def retire(folder: Path, after_seconds: float) -> list[Path]:
    """Remove the keys whose successor is older than that. Give more than an access token lives: then no token needs them."""
    with _locked(folder):
        files = _files(folder)
        pairs = pairwise(files)
        over = [path for (path, _), (_, successor) in pairs if successor.st_mtime + after_seconds < time.time()]
        for path in over:
            path.unlink()
        return over


class KeyRing:
    """The keys of a folder, looked at again at most every two seconds: a rotation needs no restart.

    What is in hand stays in hand while the folder cannot be read.
    """

    def __init__(self, folder: Path, activation_seconds: float) -> None:
        self.folder = folder
        self.activation_seconds = activation_seconds
        self._keys: list[SigningKey] = []
        self._seen: list[tuple[str, int, int]] = []
        self._looked_at = -1e9
        self._lock = asyncio.Lock()

    def look(self) -> None:
        """Read the folder if it has changed. Blocks; raises KeysUnusable."""
        seen = [(path.name, stat.st_mtime_ns, stat.st_size) for path, stat in _files(self.folder)]
        if seen != self._seen or not self._keys:
            self._keys = read(self.folder)
            self._seen = seen
            log.info("signing keys", kids=[key.kid for key in self._keys])

    async def _current(self) -> list[SigningKey]:
        async with self._lock:
            if time.monotonic() - self._looked_at > LOOK_SECONDS:
                try:
                    await asyncio.to_thread(self.look)
                except KeysUnusable as error:
                    log.error("signing keys unusable", reason=str(error), kept=len(self._keys))
                self._looked_at = time.monotonic()
        if not self._keys:
            raise Unavailable("There is no signing key.")
        return self._keys

    async def signing(self) -> SigningKey:
        """The newest key that has been published long enough; the oldest where none has."""
        keys = await self._current()
        known = time.time() - self.activation_seconds
        return next((key for key in reversed(keys) if key.since <= known), keys[0])

    async def jwks(self) -> dict[str, Any]:
        """RFC 7517 section 5, newest first."""
        return {"keys": [key.jwk for key in reversed(await self._current())]}

    async def check(self) -> str | None:
        """For readiness."""
        try:
            await self._current()
        except Unavailable as error:
            return error.detail
        return None


ring = KeyRing(settings.auth_keys_dir, settings.auth_key_activation_seconds)
