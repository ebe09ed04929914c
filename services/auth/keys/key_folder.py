"""The folder of auth's secrets: one PEM file for each private signing key, and the key of refresh tokens (refresh-tokens.secret).

The name of a PEM file begins with the time when its key was created (UTC), which is not lost when the folder is copied or mounted. The
time of a file with another name is when it was last changed.
"""

import fcntl
import os
import re
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import structlog
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from services.auth.keys.schedule import KeyState, key_states
from services.auth.keys.signing_keys import KeyType, SigningKey, build_signing_key, generate

REFRESH_TOKEN_KEY_FILE = "refresh-tokens.secret"  # noqa: S105 -- the name of a file
REFRESH_TOKEN_KEY_BYTES = 32
TIME_FORMAT = "%Y-%m-%dT%H%M%S.%fZ"
TIME_IN_NAME = re.compile(r"\d{4}-\d\d-\d\dT\d{6}\.\d{6}Z")
log = structlog.get_logger("keys")


class KeysUnusable(Exception):
    """A secret of the folder is missing, unreadable or cannot be used."""


class KeyFile(NamedTuple):
    """The file of a key."""

    created_at: float
    """Seconds since the epoch."""
    path: Path
    stat: os.stat_result


def list_files(folder: Path) -> list[KeyFile]:
    """Return the files of the keys, oldest first. Raises KeysUnusable if the folder cannot be read."""
    try:
        paths = [path for path in folder.glob("*.pem") if not path.name.startswith(".")]
        files = [(path, path.stat()) for path in paths]
    except OSError as error:
        raise KeysUnusable(f"{folder}: cannot be read: {error.strerror}") from error
    return sorted(KeyFile(_creation_time(path, stat), path, stat) for path, stat in files)


def _creation_time(path: Path, stat: os.stat_result) -> float:
    found = TIME_IN_NAME.match(path.name)
    try:
        return datetime.strptime(found[0], TIME_FORMAT).replace(tzinfo=UTC).timestamp() if found else stat.st_mtime
    except ValueError:  # for example the 31st of February
        return stat.st_mtime


def read_key(file: KeyFile) -> SigningKey:
    """Return the key in a file. Raises KeysUnusable."""
    path = file.path
    try:
        key = build_signing_key(load_pem_private_key(path.read_bytes(), password=None), file.created_at)
    except OSError as error:
        raise KeysUnusable(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeysUnusable(f"{path}: {error}") from error
    if file.stat.st_mode & 0o007:
        log.warning("signing key file is accessible to all users of this machine: run chmod 600", file=str(path))
    return key


def read_keys(folder: Path) -> list[SigningKey]:
    """Return the keys, oldest first. Raises KeysUnusable if there is none, or if one cannot be used."""
    keys = [read_key(file) for file in list_files(folder)]
    if not keys:
        raise KeysUnusable(f"{folder}: no signing key; create one with `python -m services.auth keys create`")
    return keys


def read_refresh_token_key(folder: Path) -> bytes:
    """Return the key with which a refresh token is derived from the one that it replaces. Raises KeysUnusable."""
    path = folder / REFRESH_TOKEN_KEY_FILE
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        raise KeysUnusable(f"{path}: missing; create it with `python -m services.auth keys create`") from None
    except OSError as error:
        raise KeysUnusable(f"{path}: cannot be read: {error.strerror}") from error
    if len(key) < REFRESH_TOKEN_KEY_BYTES:
        raise KeysUnusable(f"{path}: has fewer than {REFRESH_TOKEN_KEY_BYTES} bytes")
    return key


def create_first(folder: Path, key_type: KeyType) -> Path | None:
    """Create a signing key and the key of refresh tokens, unless the folder has them. Return the file of a new signing key, else None."""
    with _locked(folder):
        _create_refresh_token_key(folder)
        return None if list_files(folder) else _write_key(folder, key_type)


def rotate(folder: Path, key_type: KeyType, activation_seconds: float) -> tuple[Path, list[Path]]:
    """Add a key, and delete the keys that no valid token needs. Return the file of the new key and the deleted files.

    The new key signs after the activation time. The keys that are needed stay published.
    """
    with _locked(folder):
        _create_refresh_token_key(folder)
        files = list_files(folder)
        states = key_states([file.created_at for file in files], time.time(), activation_seconds)
        created = _write_key(folder, key_type)
        return created, _delete(file for file, state in zip(files, states, strict=True) if state is KeyState.EXPIRED)


def replace_all(folder: Path, key_type: KeyType) -> tuple[Path, list[Path]]:
    """Add a key and delete all others. Return the file of the new key and the deleted files.

    The new key is the only one, so it signs at once, and every token that another key signed is refused. All keys are deleted, not only
    the one that signs: a reader of one file of the folder could read them all.
    """
    with _locked(folder):
        _create_refresh_token_key(folder)
        files = list_files(folder)
        created = _write_key(folder, key_type)
        return created, _delete(files)


def _delete(files: Iterable[KeyFile]) -> list[Path]:
    deleted = [file.path for file in files]
    for path in deleted:
        path.unlink()
    return deleted


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


def _create_refresh_token_key(folder: Path) -> None:
    path = folder / REFRESH_TOKEN_KEY_FILE
    if not path.exists():
        _write_file(path, secrets.token_bytes(REFRESH_TOKEN_KEY_BYTES))


def _write_key(folder: Path, key_type: KeyType) -> Path:
    private = generate(key_type)
    kid = build_signing_key(private, created_at=0).kid
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = folder / f"{datetime.now(UTC).strftime(TIME_FORMAT)}-{kid[:8]}.pem"
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
