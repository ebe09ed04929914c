"""A rotation of the signing keys in real time: unchanged verifiers of well-known libraries, with their default caches, refuse no token."""

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import jwt
import pytest

from services.auth.settings import settings
from tests.fixtures import npm, python_packages
from tests.fixtures.auth import AuthClient
from tests.fixtures.auth_cli import run_auth
from tests.fixtures.npm import NODE
from tests.fixtures.service_process import serving

pytestmark = pytest.mark.drill

SOURCES = Path(__file__).parents[1] / "integration" / "auth" / "library_clients"
ACTIVATION_SECONDS = 40
"""More than the 30 s for which jose does not fetch the keys again."""

PAUSE_SECONDS = 0.25
TOKENS_OF_THE_NEW_KEY = 40


@asynccontextmanager
async def verifier(*command: object) -> AsyncIterator[asyncio.subprocess.Process]:
    """A script of library_clients that verifies tokens."""
    arguments = [*map(str, command), settings.token_issuer, settings.token_audience]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*arguments, stdin=pipe, stdout=pipe)
    try:
        yield process
    finally:
        process.kill()
        await process.wait()


async def verify(process: asyncio.subprocess.Process, token: str) -> dict[str, str]:
    """Return the error of each client that refused the token."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{token}\n".encode())
    async with asyncio.timeout(10):
        errors: dict[str, str] = json.loads(await process.stdout.readline())
    return errors


async def test_tokens_during_a_rotation_are_all_accepted_by_pyjwt_joserfc_and_jose(
    postgres: object, tmp_path: Path
) -> None:
    try:
        python = await asyncio.to_thread(python_packages.install, SOURCES / "requirements.txt", "library-clients")
        packages = await asyncio.to_thread(npm.install, SOURCES, "library-clients-node")
    except (python_packages.RegistryUnreachable, npm.RegistryUnreachable) as reason:
        pytest.skip(str(reason))
    (tmp_path / "node_modules").symlink_to(packages / "node_modules")
    script = await asyncio.to_thread(shutil.copy, SOURCES / "verify.mjs", tmp_path)
    environment = {
        "AUTH_KEYS_DIR": str(tmp_path / "keys"),
        "AUTH_KEY_ACTIVATION_SECONDS": str(ACTIVATION_SECONDS),
    }
    assert (await run_auth("keys", "create", **environment))[0] == 0
    _, created = await run_auth("client", "create", "rotation-drill", "--scope", "orders:read")
    client = dict(re.findall(r"^(client_id|client_secret)=(.+)$", created, re.MULTILINE))
    try:
        async with serving("auth", **environment) as api:
            url = f"{api.client.base_url}/.well-known/jwks.json"
            async with verifier(python, SOURCES / "verify.py", url) as pythons, verifier(NODE, script, url) as node:
                tokens, errors = await _rotate(AuthClient(api.client), client, environment, pythons, node)
    finally:
        await run_auth("client", "remove", "rotation-drill")
    assert errors == []
    assert len({jwt.get_unverified_header(token)["kid"] for token in tokens}) == 2


async def _rotate(
    auth: AuthClient,
    client: dict[str, str],
    environment: dict[str, str],
    *verifiers: asyncio.subprocess.Process,
) -> tuple[list[str], list[dict[str, str]]]:
    """Verify new tokens, and the first one again, until the new key has signed many. Return the tokens and the errors."""
    tokens: list[str] = []
    errors: list[dict[str, str]] = []
    of_new_key = 0
    async with asyncio.timeout(180):
        while of_new_key < TOKENS_OF_THE_NEW_KEY:
            response = await auth.token("client_credentials", **client)
            tokens.append(response.json()["access_token"])
            for token in (tokens[0], tokens[-1]):
                errors += [found for each in verifiers if (found := await verify(each, token))]
            if len(tokens) == 10:
                assert (await run_auth("keys", "rotate", "--type", "p256", **environment))[0] == 0
            first, last = (jwt.get_unverified_header(token)["kid"] for token in (tokens[0], tokens[-1]))
            of_new_key += first != last
            await asyncio.sleep(PAUSE_SECONDS)  # the pace of the requests
    return tokens, errors
