"""Password guessing for minutes, from many addresses, on one user name."""

import asyncio
import os
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from services.auth.settings import settings
from tests.fakes.mail_server import MailServer
from tests.fixtures.apps import RunningApp
from tests.fixtures.auth import AuthClient
from tests.fixtures.auth_app import auth_client, empty_auth_tables, running_auth
from tests.fixtures.mail import mail_server, send_due

__all__ = ["mail_server"]
pytestmark = pytest.mark.drill
SECONDS = int(os.environ.get("LOGIN_STORM_SECONDS", "300"))
"""The duration. A shorter one checks that the drill works."""

GUESSES_PER_SECOND = 20
ADDRESSES = 50
LOGIN_EVERY_SECONDS = 10
"""How often the owner logs in on the known device, and another customer too."""

CODE_AFTER = 0.5
"""The part of the duration after which the owner logs in on a new device, with one mail code."""


@pytest.fixture
async def auth_app(postgres: object) -> AsyncIterator[RunningApp]:
    async with running_auth(settings.auth_bcrypt_rounds) as running_app:
        await empty_auth_tables()
        yield running_app


async def test_login_when_one_name_is_guessed_from_fifty_addresses_then_ten_hashes_a_minute_and_the_owner_gets_in(
    auth_app: RunningApp, mail_server: MailServer
) -> None:
    async with AsyncExitStack() as opened:
        guessers = [
            await opened.enter_async_context(auth_client(auth_app, f"203.0.113.{number}"))
            for number in range(ADDRESSES)
        ]
        owner = await opened.enter_async_context(auth_client(auth_app, "198.51.100.7"))
        new_device = await opened.enter_async_context(auth_client(auth_app, "198.51.100.8"))
        email = (await owner.register()).json()["email"]
        device_token = (await owner.login(email)).json()["device_token"]
        bystander = (await owner.register()).json()["email"]
        hashed_in_minute, statuses = Counter[int](), Counter[int]()
        loop = asyncio.get_running_loop()
        began = loop.time()

        async def guess(number: int) -> None:
            minute = int((loop.time() - began) // 60)
            status = (await guessers[number % ADDRESSES].login(email, f"guess {number}")).status_code
            statuses[status] += 1
            hashed_in_minute[minute] += status == 400

        async with asyncio.TaskGroup() as group:
            for number in range(SECONDS * GUESSES_PER_SECOND):
                group.create_task(guess(number))
                if number % (LOGIN_EVERY_SECONDS * GUESSES_PER_SECOND) == 0:
                    group.create_task(_log_in(owner, email, device_token))
                    group.create_task(_log_in(owner, bystander))
                if number == int(CODE_AFTER * SECONDS * GUESSES_PER_SECOND):
                    group.create_task(_log_in_with_code(new_device, email, mail_server))
                await asyncio.sleep(max(0.0, began + number / GUESSES_PER_SECOND - loop.time()))
    assert max(hashed_in_minute.values()) <= 10, hashed_in_minute
    assert set(statuses) <= {400, 429, 503}, statuses
    assert statuses[429] > statuses[503], statuses


async def _log_in_with_code(client: AuthClient, email: str, mail_server: MailServer) -> None:
    """Log in with one mail code, and once more with the password: the device is known by then."""
    challenge = (await client.http.post("/auth/email/code", json={"email": email})).json()["challenge"]
    await send_due()
    code = re.search(r"^\d{6}\r?$", mail_server.mails[-1].text, re.MULTILINE)
    assert code is not None, mail_server.mails[-1].text
    response = await client.token("urn:shop:grant-type:mail-code", challenge=challenge, code=code.group().strip())
    assert response.status_code == 200, response.text
    await _log_in(client, email, response.json()["device_token"])


async def _log_in(client: AuthClient, email: str, device_token: str = "") -> None:
    response = await client.login(email, **({"device_token": device_token} if device_token else {}))
    assert response.status_code == 200, response.text
