"""The folder of private signing keys: one PEM file for each key.

A file's name begins with the time when its key was created, so the newest key is the last by name.
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

from services.auth.keys.signing_keys import KeyType, SigningKey, generate, signing_key

log = structlog.get_logger("keys")


class KeysUnusable(Exception):
    """The folder of signing keys has no key, or one that cannot be used."""


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
            keys.append(signing_key(load_pem_private_key(path.read_bytes(), password=None), stat.st_mtime))
        except OSError as error:
            raise KeysUnusable(f"{path}: cannot be read: {error.strerror}") from error
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise KeysUnusable(f"{path}: {error}") from error
        if stat.st_mode & 0o007:
            log.warning("signing key file is accessible to every user of this machine: chmod 600", file=str(path))
    if not keys:
        raise KeysUnusable(f"{folder}: no signing key; create one with `python -m services.auth keys`")
    return keys


def create_first(folder: Path, key_type: KeyType) -> Path | None:
    """Create a key if the folder has none. Returns its file, or None if there was a key."""
    with _locked(folder):
        return None if list_files(folder) else _write(folder, key_type)


def rotate(folder: Path, key_type: KeyType) -> Path:
    """Add a key, which signs as soon as its activation time is over. The older keys stay published. Returns its file."""
    with _locked(folder):
        return _write(folder, key_type)


def retire(folder: Path, after_seconds: float) -> list[Path]:
    """Delete the keys whose successor is older than `after_seconds`. Returns their files.

    Give more than the lifetime of an access token: then no valid token needs them.
    """
    with _locked(folder):
        successors = pairwise(list_files(folder))
        retired = [path for (path, _), (_, newer) in successors if newer.st_mtime + after_seconds < time.time()]
        for path in retired:
            path.unlink()
        return retired


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Lock the folder against other processes, so that two commands started together create one first key."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _write(folder: Path, key_type: KeyType) -> Path:
    """Write a new key under a temporary name and rename it: a reader never sees half a file."""
    private = generate(key_type)
    kid = signing_key(private, 0).kid
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = folder / f"{datetime.now(UTC):%Y-%m-%dT%H%M%S.%fZ}-{kid[:8]}.pem"
    unfinished = folder / f".{secrets.token_hex(8)}"
    with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)
    return path
