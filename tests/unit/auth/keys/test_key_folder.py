import asyncio
import os
import stat
import subprocess
import time
from pathlib import Path

import pytest

from services.auth.keys.key_folder import (
    KeysUnusable,
    create_first,
    list_files,
    read_keys,
    read_refresh_secret,
    retire,
    rotate,
)
from services.auth.keys.signing_keys import KeyType


def test_create_first_when_a_key_exists_then_creates_none(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "keys"
    made = create_first(folder, KeyType.P256)
    assert made is not None
    assert create_first(folder, KeyType.P256) is None
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {path.name for path in folder.iterdir()} == {made.name, "refresh-tokens.secret"}
    assert stat.S_IMODE((folder / "refresh-tokens.secret").stat().st_mode) == 0o600


def test_refresh_secret_is_created_once(tmp_path: Path) -> None:
    with pytest.raises(KeysUnusable, match="missing; create it"):
        read_refresh_secret(tmp_path)
    create_first(tmp_path, KeyType.ED25519)
    secret = read_refresh_secret(tmp_path)
    assert len(secret) == 32
    rotate(tmp_path, KeyType.ED25519)
    assert read_refresh_secret(tmp_path) == secret
    (tmp_path / "refresh-tokens.secret").write_bytes(b"short")
    with pytest.raises(KeysUnusable, match="fewer than 32 bytes"):
        read_refresh_secret(tmp_path)


async def test_create_first_when_eight_at_once_then_one_key(tmp_path: Path) -> None:
    made = await asyncio.gather(*(asyncio.to_thread(create_first, tmp_path, KeyType.ED25519) for _ in range(8)))
    assert len([path for path in made if path]) == len(list_files(tmp_path)) == 1


def test_retire_deletes_only_keys_that_no_valid_token_needs(tmp_path: Path) -> None:
    paths = [rotate(tmp_path, KeyType.ED25519) for _ in range(3)]
    assert retire(tmp_path, 900) == []
    hour_ago = time.time() - 3600
    os.utime(paths[0], (hour_ago, hour_ago))
    assert retire(tmp_path, 900) == []
    os.utime(paths[1], (hour_ago, hour_ago))
    assert retire(tmp_path, 900) == [paths[0]]
    assert [path for path, _ in list_files(tmp_path)] == paths[1:]


@pytest.mark.parametrize("wrong", ["short rsa", "public", "nonsense", "p384"])
def test_read_keys_when_a_key_is_of_another_type_then_refused_by_file_name(tmp_path: Path, wrong: str) -> None:
    commands = {
        "short rsa": "genrsa 1024",
        "p384": "ecparam -genkey -noout -name secp384r1",
    }
    path = tmp_path / "odd.pem"
    if wrong in commands:
        made = subprocess.run(["openssl", *commands[wrong].split()], capture_output=True, check=True)
        path.write_bytes(made.stdout)
    else:
        path.write_text("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n" if wrong == "public" else "?")
    with pytest.raises(KeysUnusable, match=r"odd\.pem"):
        read_keys(tmp_path)
