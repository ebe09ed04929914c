import json

import pytest

from services.auth.settings import settings
from tests.fixtures.audit import audit_entries
from tests.fixtures.auth import AuthClient
from tests.fixtures.auth_cli import run_auth


async def test_account_commands_list_show_ban_unban_and_end_sessions(
    auth: AuthClient, administrator: dict[str, str], email: str
) -> None:
    tokens = (await auth.login(email)).json()
    code, out = await run_auth("account", "end-sessions", email)
    assert (code, out.strip()) == (0, "sessions ended: 1")
    assert (await auth.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"

    code, out = await run_auth("account", "ban", email.upper(), "--reason", "Stolen cards", "--until", "7d")
    assert (code, "status: banned" in out, "reason: Stolen cards" in out) == (0, True, True)
    assert (await auth.login(email)).json()["error"] == "invalid_grant"
    (row,) = json.loads((await run_auth("account", "list", "--status", "banned", "--json"))[1])
    assert (row["email"], row["status"]) == (email, "banned")
    account_id = row["account_id"]
    view = json.loads((await run_auth("account", "show", account_id, "--json"))[1])
    assert (view["email"], view["ban"]["reason"]) == (email, "Stolen cards")

    code, out = await run_auth("account", "unban", account_id)
    assert (code, "status: active" in out, "reason" in out) == (0, True, False)
    assert (await auth.login(email)).status_code == 200
    entries = await audit_entries(auth.http, "auth", administrator, subject=account_id)
    assert [entry["act"] for entry in entries] == ["account.unbanned", "account.banned", "account.sessions_ended"]
    assert entries[0]["actor"].startswith("operator:")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("show", "nobody@example.com"), "There is no account with this e-mail address"),
        (("show", "nonsense"), "Invalid value for ACCOUNT: must be the id or the e-mail address of an account"),
        (("unban", "5b0b7b4e-5a3c-4a0e-9a57-8a3c1f7d2f10"), "There is no account with this id"),
        (("ban", str(settings.auth_admin_email), "--reason", "x"), "AUTH_ADMIN_EMAIL names this account"),
        (("ban", "ada@example.com", "--reason", "x", "--until", "2020-01-01"), "must be in the future"),
        (("ban", "ada@example.com", "--reason", "x", "--until", "soon"), "or 7d for in seven days"),
    ],
)
async def test_account_commands_when_refused_then_code_2_and_the_reason(
    administrator: dict[str, str], arguments: tuple[str, ...], reason: str
) -> None:
    code, out = await run_auth("account", *arguments)
    assert (code, "Traceback" in out) == (2, False)
    assert reason in " ".join(out.split())
