import json
import re

from tests.fixtures.audit import audit_entries
from tests.fixtures.auth import AuthClient
from tests.fixtures.auth_cli import run_auth


def field(name: str, out: str) -> str:
    (value,) = re.findall(rf"^{name}=(.+)$", out, re.MULTILINE)
    return str(value)


async def client(*arguments: str) -> str:
    """Run `client ...`, which must succeed, and return its output."""
    code, out = await run_auth("client", *arguments)
    assert code == 0, out
    return out


async def test_client_commands_change_a_program_over_to_a_new_secret_and_record_each_act(
    auth: AuthClient, administrator: dict[str, str]
) -> None:
    created = await client("create", "reporter", "--scope", "payments:read", "--scope", "orders:read")
    added = await client("secret", "add", "reporter")
    first, second = field("secret_id", created), field("secret_id", added)
    old, new = field("client_secret", created), field("client_secret", added)
    for sent in (old, new):
        response = await auth.token("client_credentials", client_id="reporter", client_secret=sent)
        assert response.json()["scope"] == "orders:read payments:read"
    await client("secret", "remove", "reporter", first)
    await client("scopes", "reporter", "audit:read")
    await client("scopes", "reporter", "audit:read")
    response = await auth.token("client_credentials", client_id="reporter", client_secret=new)
    assert response.json()["scope"] == "audit:read"
    shop, program = sorted(json.loads(await client("list", "--json")), key=lambda row: row["kind"] == "program")
    assert (shop["client_id"], shop["kind"], shop["secret_id"]) == ("shop", "public", None)
    assert (program["scopes"], program["secret_id"]) == (["audit:read"], int(second))
    assert program["secret_last_used_at"] is not None
    await client("remove", "reporter")
    assert (await auth.http.get("/auth/revocations")).json()["subjects"].keys() == {"reporter"}
    response = await auth.token("client_credentials", client_id="reporter", client_secret=new)
    assert response.json()["error"] == "invalid_client"

    entries = await audit_entries(auth.http, "auth", administrator, subject="reporter")
    assert [(entry["act"], entry["before"], entry["after"]) for entry in reversed(entries)] == [
        ("client.created", None, {"public": False, "scope": "orders:read payments:read", "secret_id": int(first)}),
        ("client.secret_added", None, {"secret_id": int(second)}),
        ("client.secret_removed", {"secret_id": int(first)}, None),
        ("client.scopes_changed", {"scope": "orders:read payments:read"}, {"scope": "audit:read"}),
        ("client.removed", {"public": False, "scope": "audit:read"}, None),
    ]
    assert old not in json.dumps(entries)
    assert new not in json.dumps(entries)


async def test_client_create_when_the_program_acts_for_its_customers_then_its_token_has_the_scopes(
    auth: AuthClient,
) -> None:
    created = await client("create", "merchant", "--scope", "orders:write_for", "--scope", "payments:write_for")
    sent = {"client_id": "merchant", "client_secret": field("client_secret", created)}
    both = (await auth.token("client_credentials", **sent)).json()
    one = (await auth.token("client_credentials", scope="orders:write_for", **sent)).json()
    assert (both["scope"], one["scope"]) == ("orders:write_for payments:write_for", "orders:write_for")
    code, out = await run_auth("client", "create", "kiosk", "--public", "--scope", "orders:write_for")
    assert code == 2
    assert "orders:write_for" in out


async def test_client_create_when_public_then_has_no_secret_and_people_can_log_in(auth: AuthClient, email: str) -> None:
    assert (await client("create", "kiosk", "--public", "--scope", "orders:write")).strip() == "client_id=kiosk"
    assert (await auth.login(email, client_id="kiosk")).json()["scope"] == "orders:write"
    table = await client("list")
    assert table.splitlines()[1].split() == ["kiosk", "public", "orders:write", "-", "-", "-"]


async def test_client_commands_when_refused_then_code_2_and_the_reason(auth: AuthClient) -> None:
    for arguments, reason in (
        (("create", "reporter", "--scope", "orders:write"), "cannot be granted to programs: orders:write"),
        (("create", "reporter"), "name at least one scope"),
        (("create", "shop", "--scope", "orders:read"), "already exists"),
        (("scopes", "unknown", "orders:read"), "there is no client 'unknown'"),
        (("secret", "add", "shop"), "is a public client"),
        (("secret", "remove", "shop", "7"), "has no secret 7"),
        (("remove", "unknown"), "there is no client"),
        (("remove", "shop"), "cannot be removed"),
    ):
        code, out = await run_auth("client", *arguments)
        assert (code, "Traceback" in out) == (2, False)
        assert reason in " ".join(out.split())


async def revoked_subjects(auth: AuthClient) -> set[str]:
    return set((await auth.http.get("/auth/revocations")).json()["subjects"])


async def test_client_scopes_when_a_program_loses_one_then_its_tokens_are_revoked(auth: AuthClient) -> None:
    await client("create", "reporter", "--scope", "orders:read")
    await client("scopes", "reporter", "orders:read", "audit:read")
    assert await revoked_subjects(auth) == set()
    await client("scopes", "reporter", "audit:read")
    assert await revoked_subjects(auth) == {"reporter"}


async def test_client_secret_remove_after_a_leak_revokes_the_tokens_of_the_program(
    auth: AuthClient, administrator: dict[str, str]
) -> None:
    created = await client("create", "reporter", "--scope", "orders:read")
    added = await client("secret", "add", "reporter")
    await client("secret", "remove", "reporter", field("secret_id", created))
    assert await revoked_subjects(auth) == set()
    await client("secret", "remove", "reporter", field("secret_id", added), "--revoke-tokens")
    assert await revoked_subjects(auth) == {"reporter"}
    leaked, routine = await audit_entries(auth.http, "auth", administrator, act="client.secret_removed")
    assert (leaked["after"], routine["after"]) == ({"tokens": "revoked"}, None)
