"""Libraries that others use work with auth without changes: Authlib, requests-oauthlib and openid-client."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.auth.clients import records
from services.auth.db import db_sessions
from tests.fixtures import npm, python_packages
from tests.fixtures.auth import PASSWORD
from tests.fixtures.npm import NODE
from tests.fixtures.service_process import Api, serving

SOURCES = Path(__file__).parent / "library_clients"


@pytest.fixture
async def api(auth: object) -> AsyncIterator[Api]:
    """auth in a process of its own, whose issuer is its address: clients compare the two."""
    async with serving("auth", url_variable="TOKEN_ISSUER") as found:
        yield found


async def run(api: Api, email: str, *command: object) -> None:
    """Run a script of library_clients. Its input has the credentials of an account and of a program."""
    async with db_sessions.begin() as session:
        created = await records.create(session, "reporter", {"orders:read"}, public=False)
    assert created is not None
    given = {
        "username": email,
        "password": PASSWORD,
        "client_id": "reporter",
        "client_secret": created.secret,
    }
    process = await asyncio.create_subprocess_exec(
        *map(str, command),
        str(api.client.base_url),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(60):
        out, _ = await process.communicate(json.dumps(given).encode())
    assert out.decode() == "done\n"


async def test_authlib_and_requests_oauthlib_log_in_refresh_revoke_and_get_tokens_for_programs(
    api: Api, email: str
) -> None:
    try:
        python = await asyncio.to_thread(python_packages.install, SOURCES / "requirements.txt", "library-clients")
    except python_packages.RegistryUnreachable as reason:
        pytest.skip(str(reason))
    await run(api, email, python, SOURCES / "flows.py")


async def test_openid_client_logs_in_refreshes_revokes_and_gets_tokens_for_programs(
    api: Api, email: str, tmp_path: Path
) -> None:
    try:
        packages = await asyncio.to_thread(npm.install, SOURCES, "library-clients-node")
    except npm.RegistryUnreachable as reason:
        pytest.skip(str(reason))
    (tmp_path / "node_modules").symlink_to(packages / "node_modules")
    script = tmp_path / "flows.mjs"
    await asyncio.to_thread(script.write_text, (SOURCES / "flows.mjs").read_text())
    await run(api, email, NODE, script)
