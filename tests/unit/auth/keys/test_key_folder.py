import asyncio
import os
import stat
import subprocess
from pathlib import Path

import pytest

from services.auth.keys.key_folder import (
    KeysUnusable,
    create_first,
    list_files,
    read_keys,
    read_refresh_token_key,
    replace_all,
    rotate,
)
from services.auth.keys.schedule import RETIREMENT_SECONDS
from services.auth.keys.signing_keys import KeyType
from tests.fixtures.signing_keys import make_all_older, make_older


def test_create_first_when_a_key_exists_then_creates_none(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "keys"
    made = create_first(folder, KeyType.P256)
    assert made is not None
    assert create_first(folder, KeyType.P256) is None
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {path.name for path in folder.iterdir()} == {made.name, "refresh-tokens.secret"}
    assert stat.S_IMODE((folder / "refresh-tokens.secret").stat().st_mode) == 0o600


def test_refresh_token_key_is_created_once(tmp_path: Path) -> None:
    with pytest.raises(KeysUnusable, match="missing; create it"):
        read_refresh_token_key(tmp_path)
    create_first(tmp_path, KeyType.ED25519)
    key = read_refresh_token_key(tmp_path)
    assert len(key) == 32
    rotate(tmp_path, KeyType.ED25519, 60)
    assert read_refresh_token_key(tmp_path) == key
    (tmp_path / "refresh-tokens.secret").write_bytes(b"short")
    with pytest.raises(KeysUnusable, match="fewer than 32 bytes"):
        read_refresh_token_key(tmp_path)


async def test_create_first_when_eight_at_once_then_one_key(tmp_path: Path) -> None:
    made = await asyncio.gather(*(asyncio.to_thread(create_first, tmp_path, KeyType.ED25519) for _ in range(8)))
    assert len([path for path in made if path]) == len(list_files(tmp_path)) == 1


def test_rotate_deletes_only_keys_that_no_valid_token_needs(tmp_path: Path) -> None:
    first, _ = rotate(tmp_path, KeyType.ED25519, 60)
    make_older(first, 60)
    second, deleted = rotate(tmp_path, KeyType.ED25519, 60)
    assert deleted == []
    make_all_older(tmp_path, 60 + RETIREMENT_SECONDS - 10)
    third, deleted = rotate(tmp_path, KeyType.ED25519, 60)
    assert deleted == []
    make_all_older(tmp_path, 20)
    oldest = list_files(tmp_path)[0].path
    _, deleted = rotate(tmp_path, KeyType.ED25519, 60)
    assert deleted == [oldest]
    kept = {file.path.name[-12:] for file in list_files(tmp_path)}
    assert {second.name[-12:], third.name[-12:]} < kept


def test_replace_all_leaves_only_the_new_key(tmp_path: Path) -> None:
    create_first(tmp_path, KeyType.P256)
    rotate(tmp_path, KeyType.P256, 60)
    old = {file.path for file in list_files(tmp_path)}
    created, deleted = replace_all(tmp_path, KeyType.ED25519)
    assert [file.path for file in list_files(tmp_path)] == [created]
    assert set(deleted) == old


def test_list_files_reads_the_time_from_the_name_and_of_other_names_from_the_file(tmp_path: Path) -> None:
    (tmp_path / "2026-11-26T020304.500000Z-abc.pem").touch()
    (tmp_path / "2026-02-31T020304.500000Z-abc.pem").touch()
    (tmp_path / "own.pem").touch()
    for name, seconds in (
        ("2026-11-26T020304.500000Z-abc.pem", 1),
        ("own.pem", 2),
        ("2026-02-31T020304.500000Z-abc.pem", 3),
    ):
        os.utime(tmp_path / name, (seconds, seconds))
    assert [file.created_at for file in list_files(tmp_path)] == [2, 3, 1795658584.5]


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
