"""The folder of auth's secrets: one PEM file for each private signing key, and the secret from which refresh tokens are derived.

The name of a PEM file begins with the time when its key was created, so the newest key is the last by name.
"""

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import structlog
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from services.auth.keys.signing_keys import KeyType, SigningKey, build_signing_key, generate

REFRESH_SECRET = "refresh-tokens.secret"  # noqa: S105 -- the name of a file
REFRESH_SECRET_BYTES = 32
log = structlog.get_logger("keys")


class KeysUnusable(Exception):
    """A secret of the folder is missing, unreadable or cannot be used."""


def list_files(folder: Path) -> list[tuple[Path, os.stat_result]]:
    """Return the files of the keys, oldest first. Raises KeysUnusable if the folder cannot be read."""
    try:
        paths = [path for path in sorted(folder.glob("*.pem")) if not path.name.startswith(".")]
        return [(path, path.stat()) for path in paths]
    except OSError as error:
        raise KeysUnusable(f"{folder}: cannot be read: {error.strerror}") from error


def read_keys(folder: Path) -> list[SigningKey]:
    """Return the keys, oldest first. Raises KeysUnusable if there is none, or if one cannot be used."""
    keys = []
    for path, stat in list_files(folder):
        try:
            keys.append(build_signing_key(load_pem_private_key(path.read_bytes(), password=None), stat.st_mtime))
        except OSError as error:
            raise KeysUnusable(f"{path}: cannot be read: {error.strerror}") from error
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise KeysUnusable(f"{path}: {error}") from error
        if stat.st_mode & 0o007:
            log.warning("signing key file is accessible to all users of this machine: run chmod 600", file=str(path))
    if not keys:
        raise KeysUnusable(f"{folder}: no signing key; create one with `python -m services.auth keys`")
    return keys


def read_refresh_secret(folder: Path) -> bytes:
    """Return the secret from which refresh tokens are derived. Raises KeysUnusable."""
    path = folder / REFRESH_SECRET
    try:
        secret = path.read_bytes()
    except FileNotFoundError:
        raise KeysUnusable(f"{path}: missing; create it with `python -m services.auth keys`") from None
    except OSError as error:
        raise KeysUnusable(f"{path}: cannot be read: {error.strerror}") from error
    if len(secret) < REFRESH_SECRET_BYTES:
        raise KeysUnusable(f"{path}: has fewer than {REFRESH_SECRET_BYTES} bytes")
    return secret


def create_first(folder: Path, key_type: KeyType) -> Path | None:
    """Create a key and the refresh secret if the folder has none. Return the file of the new key, or None if there already was a key."""
    with _locked(folder):
        _create_refresh_secret(folder)
        return None if list_files(folder) else _write_key(folder, key_type)


def rotate(folder: Path, key_type: KeyType) -> Path:
    """Add a key and return its file. The new key signs after the activation time. The older keys stay published."""
    with _locked(folder):
        _create_refresh_secret(folder)
        return _write_key(folder, key_type)


def retire(folder: Path, after_seconds: float) -> list[Path]:
    """Delete each key whose successor (the next newer key) is older than `after_seconds`. Return the deleted files.

    `after_seconds` must be longer than the activation time plus the lifetime of an access token, so that no valid token needs the keys.
    """
    with _locked(folder):
        successors = pairwise(list_files(folder))
        retired = [path for (path, _), (_, newer) in successors if newer.st_mtime + after_seconds < time.time()]
        for path in retired:
            path.unlink()
        return retired


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Lock the folder against other processes, so that two concurrent commands do not both create a first key."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _create_refresh_secret(folder: Path) -> None:
    path = folder / REFRESH_SECRET
    if not path.exists():
        _write_file(path, secrets.token_bytes(REFRESH_SECRET_BYTES))


def _write_key(folder: Path, key_type: KeyType) -> Path:
    private = generate(key_type)
    kid = build_signing_key(private, published_at=0).kid
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = folder / f"{datetime.now(UTC):%Y-%m-%dT%H%M%S.%fZ}-{kid[:8]}.pem"
    _write_file(path, pem)
    return path


def _write_file(path: Path, content: bytes) -> None:
    """Write a file under a temporary name and rename it, so that readers never see an incomplete file."""
    temporary = path.parent / f".{secrets.token_hex(8)}"
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
