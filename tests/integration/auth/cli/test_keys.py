import json
import os
from pathlib import Path

import pytest

from services.auth.keys.schedule import RETIREMENT_SECONDS
from tests.fixtures.auth_cli import run_auth
from tests.fixtures.signing_keys import make_all_older


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, str]:
    return {"AUTH_KEYS_DIR": str(tmp_path)}


async def listed(keys: dict[str, str]) -> list[tuple[str, str]]:
    """State and algorithm of each key, newest first."""
    code, out = await run_auth("keys", "list", "--json", **keys)
    assert code == 0, out
    return [(key["state"], key["algorithm"]) for key in json.loads(out)]


async def test_keys_list_shows_the_state_of_each_key_through_two_rotations(
    auth: object, keys: dict[str, str], tmp_path: Path
) -> None:
    assert "There is no signing key" in (await run_auth("keys", "list", **keys))[1]
    assert (await run_auth("keys", "create", **keys))[0] == 0
    assert await listed(keys) == [("signing", "RS256")]
    make_all_older(tmp_path, 10_000)
    code, out = await run_auth("keys", "rotate", "--type", "p256", **keys)
    assert (code, "The new key signs from " in out) == (0, True)
    assert await listed(keys) == [("next", "ES256"), ("signing", "RS256")]
    make_all_older(tmp_path, 7500)
    assert await listed(keys) == [("signing", "ES256"), ("retired", "RS256")]
    make_all_older(tmp_path, RETIREMENT_SECONDS)
    assert await listed(keys) == [("signing", "ES256"), ("expired", "RS256")]
    assert (await run_auth("keys", "rotate", "--type", "ed25519", **keys))[0] == 0
    assert await listed(keys) == [("next", "EdDSA"), ("signing", "ES256")]
    _, table = await run_auth("keys", "list", **keys)
    assert table.splitlines()[0].split()[:3] == ["kid", "state", "algorithm"]


async def test_keys_rotate_now_leaves_only_the_new_key_which_signs(
    auth: object, keys: dict[str, str], tmp_path: Path
) -> None:
    await run_auth("keys", "create", **keys)
    make_all_older(tmp_path, 10_000)
    await run_auth("keys", "rotate", **keys)
    code, out = await run_auth("keys", "rotate", "--now", "--type", "p256", **keys)
    assert (code, out.count("deleted "), "are refused" in out) == (0, 2, True)
    assert await listed(keys) == [("signing", "ES256")]


async def test_keys_when_the_folder_is_a_file_then_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for command in ("create", "rotate"):
        code, out = await run_auth("keys", command, AUTH_KEYS_DIR=str(tmp_path / "file"))
        assert (code, "AUTH_KEYS_DIR" in out, "Traceback" in out) == (2, True, False)


@pytest.mark.parametrize("now", [[], ["--now"]], ids=["rotate", "now"])
async def test_keys_rotate_when_the_database_is_down_then_changes_nothing(
    keys: dict[str, str], tmp_path: Path, now: list[str]
) -> None:
    down = {**keys, "AUTH_DATABASE_URL": "postgresql://auth:password@127.0.0.1:9/auth"}
    assert (await run_auth("keys", "create", **down))[0] == 0
    before = sorted(os.listdir(tmp_path))
    code, out = await run_auth("keys", "rotate", *now, **down)
    assert (code, "the database cannot be used" in out) == (1, True)
    assert sorted(os.listdir(tmp_path)) == before
