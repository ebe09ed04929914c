"""Logins from one address that fill the queue of password hashes must not hold up other requests."""

import asyncio
import os
from collections.abc import AsyncIterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from statistics import median
from uuid import uuid4

import pytest

from bench.load import initialise_process
from bench.token_requests import post, send
from services.auth.keys import key_folder
from services.auth.keys.signing_keys import KeyType
from services.auth.settings import settings
from tests.fixtures.auth import AuthClient
from tests.fixtures.auth_app import empty_auth_tables
from tests.fixtures.probes import p99, probe
from tests.fixtures.service_process import Api, serving

pytestmark = pytest.mark.drill
ROUNDS = int(os.environ.get("LOGIN_STORM_ROUNDS", "6"))
SECONDS = 10.0
"""Of each round, first without the storm and then with it, so that other load on this machine affects both."""

CONNECTIONS = 80
PATH = "/auth/me"
FACTOR = 4


class Guess:
    """Failed logins with random names."""

    def request(self) -> bytes:
        return post(grant_type="password", username=f"{uuid4()}@example.com", password="guessing")

    def received(self, body: bytes) -> None:
        raise AssertionError(body)


@pytest.fixture
async def auth_process(postgres: object) -> AsyncIterator[Api]:
    await empty_auth_tables()
    key_folder.create_first(settings.auth_keys_dir, KeyType.RSA)
    async with serving("auth", AUTH_BCRYPT_ROUNDS="12") as api:
        yield api


async def test_other_routes_when_eighty_connections_guess_then_their_p99_is_at_most_four_times_the_quiet_one(
    auth_process: Api,
) -> None:
    auth = AuthClient(auth_process.client)
    email = (await auth.register()).json()["email"]
    token = (await auth.login(email)).json()["access_token"]
    port, guesses = auth_process.port, [Guess() for _ in range(CONNECTIONS)]
    quiet: list[float] = []
    loud: list[float] = []
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(1, get_context("spawn"), initialise_process) as executor:
        await loop.run_in_executor(executor, send, guesses, port, 1.0)
        for _ in range(ROUNDS):
            quiet += await probe(port, PATH, token, SECONDS)
            storm = loop.run_in_executor(executor, send, guesses, port, SECONDS)
            loud += await probe(port, PATH, token, SECONDS)
            answers = (await storm).round.answer_seconds
            assert len(answers) > CONNECTIONS, "the storm ran"
    for name, measure in (("median", median), ("p99", p99)):
        quiet_ms, loud_ms = measure(quiet) * 1000, measure(loud) * 1000
        print(f"{name} quiet {quiet_ms:.1f} ms, in the storm {loud_ms:.1f} ms: {loud_ms / quiet_ms:.1f} x")
    assert p99(loud) <= FACTOR * p99(quiet)
