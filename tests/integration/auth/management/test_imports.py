"""The command `account import`."""

import json
from pathlib import Path

import pytest
from passlib.context import CryptContext

from tests.fixtures.audit import audit_entries
from tests.fixtures.auth import PASSWORD, AuthClient
from tests.fixtures.auth_cli import run_auth

HASH = CryptContext(schemes=["bcrypt"], bcrypt__rounds=4).hash(PASSWORD)
ARGON2 = CryptContext(schemes=["argon2"], argon2__memory_cost=1024, argon2__rounds=1).hash(PASSWORD)


async def test_import_creates_accounts_that_log_in_with_their_passwords_and_records_it(
    auth: AuthClient, administrator: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "accounts.jsonl"
    accounts = [
        {"email": "Ada@Example.com", "password_hash": HASH, "name": "Ada", "email_verified": True},
        {"email": "chidi@example.com", "password_hash": ARGON2},
    ]
    file.write_text("\n".join(map(json.dumps, accounts)))
    code, out = await run_auth("account", "import", str(file))
    assert (code, out.strip()) == (0, "imported: 2, existing: 0, refused: 0")
    tokens = (await auth.login("ada@example.com")).json()
    me = (await auth.me(tokens["access_token"])).json()
    assert (me["name"], me["email_verified"], me["scope"]) == ("Ada", True, "orders:write payments:write")
    assert (await auth.login("chidi@example.com")).status_code == 200
    assert (await auth.login("chidi@example.com", "wrong")).status_code == 400
    (entry,) = await audit_entries(auth.http, "auth", administrator, act="accounts.imported")
    assert (entry["after"], entry["subject"]) == ({"accounts": 2}, "import")


async def test_import_when_repeated_or_accounts_exist_then_they_are_not_changed(
    auth: AuthClient, administrator: dict[str, str], tmp_path: Path
) -> None:
    other = CryptContext(schemes=["bcrypt"], bcrypt__rounds=4).hash("another password")
    await auth.register("ada@example.com")
    file = tmp_path / "accounts.csv"
    rows = [f"ada@example.com,{other}", f"chidi@example.com,{HASH}", f"CHIDI@example.com,{other}"]
    file.write_text("\n".join(["email,password_hash", *rows]))
    assert await run_auth("account", "import", str(file)) == (0, "imported: 1, existing: 2, refused: 0\n")
    assert await run_auth("account", "import", str(file)) == (0, "imported: 0, existing: 3, refused: 0\n")
    for address in ("ada@example.com", "chidi@example.com"):
        assert (await auth.login(address)).status_code == 200
    assert len(await audit_entries(auth.http, "auth", administrator, act="accounts.imported")) == 1


async def test_import_when_lines_are_refused_then_code_1_the_reasons_and_the_others_are_imported(
    auth: AuthClient, tmp_path: Path
) -> None:
    file = tmp_path / "accounts.txt"
    expensive = f"$2b$31{HASH[6:]}"
    rows = [f"ada@example.com,{expensive}", f"nonsense,{HASH}", f"chidi@example.com,{HASH}"]
    file.write_text("\n".join(["email,password_hash", *rows]))
    code, out = await run_auth("account", "import", str(file), "--format", "csv")
    assert code == 1
    assert set(out.splitlines()) == {
        "imported: 1, existing: 0, refused: 2",
        "line 2: password_hash: the cost of bcrypt must be between 4 and 13.",
        "line 3: email: must be an e-mail address.",
    }
    assert (await auth.login("chidi@example.com")).status_code == 200


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [("accounts.csv", "mail,hash\n", "the first line must name the columns"), ("accounts", "", "add --format")],
)
async def test_import_when_the_file_is_refused_then_code_2_and_the_reason(
    tmp_path: Path, name: str, content: str, reason: str
) -> None:
    (tmp_path / name).write_text(content)
    code, out = await run_auth("account", "import", str(tmp_path / name))
    assert (code, "Traceback" in out) == (2, False)
    assert reason in " ".join(out.split())
