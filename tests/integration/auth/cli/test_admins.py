import json

from services.auth.settings import settings
from tests.fixtures.accounts import mark_verified
from tests.fixtures.audit import audit_entries
from tests.fixtures.auth import AuthClient
from tests.fixtures.auth_cli import run_auth


async def test_admin_commands_grant_a_role_and_revoke_it_with_its_sessions_and_record_both(
    auth: AuthClient, administrator: dict[str, str], email: str
) -> None:
    await mark_verified(email)
    code, out = await run_auth("admin", "grant", email.upper())
    assert (code, out.strip()) == (0, f"{email}: role admin")
    tokens = (await auth.login(email)).json()
    assert "payments:refund" in tokens["scope"]
    _, listed = await run_auth("admin", "list", "--json")
    assert {(row["email"], row["role"], row["granted_by"]) for row in json.loads(listed)} == {
        (settings.auth_admin_email, "admin", "AUTH_ADMIN_EMAIL"),
        (email, "admin", "operator"),
    }
    code, out = await run_auth("admin", "revoke", email)
    assert (code, "Its sessions have ended" in out) == (0, True)
    assert (await auth.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await auth.login(email)).json()["scope"] == "orders:write payments:write"
    token = (await auth.login(email)).json()["access_token"]
    account_id = (await auth.me(token)).json()["id"]
    revoked, granted = await audit_entries(auth.http, "auth", administrator, subject=account_id)
    assert (granted["act"], granted["before"]["role"], granted["after"]["role"]) == (
        "role.granted",
        "customer",
        "admin",
    )
    assert (revoked["act"], revoked["before"]["role"], revoked["after"]) == (
        "role.revoked",
        "admin",
        {"role": "customer", "role_from_environment": False, "sessions": "ended"},
    )


async def test_admin_grant_when_the_role_is_support_then_only_its_scopes(auth: AuthClient, email: str) -> None:
    await mark_verified(email)
    assert (await run_auth("admin", "grant", email, "--role", "support"))[0] == 0
    assert (await auth.login(email)).json()["scope"] == "orders:read orders:write payments:read payments:write"


async def test_admin_grant_when_the_new_role_has_fewer_scopes_then_the_sessions_end(
    auth: AuthClient, email: str
) -> None:
    customer = (await auth.login(email)).json()
    await mark_verified(email)
    await run_auth("admin", "grant", email)
    assert (await auth.refresh(customer["refresh_token"])).status_code == 200, "a promotion ends nothing"
    admin = (await auth.login(email)).json()
    assert (await run_auth("admin", "grant", email, "--role", "support"))[0] == 0
    assert (await auth.me(admin["access_token"])).status_code == 401
    assert (await auth.refresh(admin["refresh_token"])).json()["error"] == "invalid_grant"


async def test_admin_commands_when_refused_then_code_2_and_the_reason(
    auth: AuthClient, administrator: dict[str, str], email: str
) -> None:
    assert settings.auth_admin_email is not None
    for arguments, reason in (
        (("grant", "nobody@example.com"), "there is no account with the address nobody@example.com"),
        (("grant", "nonsense"), "must be an e-mail address"),
        (("grant", email, "--role", "customer"), "`customer` cannot be granted: use `admin revoke`"),
        (("grant", email, "--role", "editor"), "Roles are admin, support"),
        (("grant", email), "has not verified this address"),
        (("revoke", email), "it is a customer"),
        (("grant", settings.auth_admin_email, "--role", "support"), "AUTH_ADMIN_EMAIL names"),
        (("revoke", settings.auth_admin_email), "AUTH_ADMIN_EMAIL names"),
    ):
        code, out = await run_auth("admin", *arguments)
        assert (code, "Traceback" in out) == (2, False)
        assert reason in " ".join(out.split())
