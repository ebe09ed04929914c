"""After 100 failed logins in a row with a user name, unknown devices log in with a mail."""

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import func, select, update

from services.auth.db import db_sessions
from services.auth.mail import waiting
from services.auth.models import Account
from services.auth.settings import settings
from services.auth.throttling.failed_logins import MAX_FAILURES, RETENTION_OF_MAX_FAILURES
from services.auth.throttling.models import FailedLogin
from services.auth.throttling.remembered_refusals import RememberedRefusals
from services.auth.worker import prune
from tests.fakes.mail_server import MailServer
from tests.fixtures.auth import PASSWORD, AuthClient
from tests.fixtures.mail import send_due, token_in
from tests.fixtures.metrics import metric

EMAIL, NEW = "ada@example.com", "six lamps in the harbour"


async def fail(auth: AuthClient, name: str, failures: int, device_token: str = "") -> None:
    """Fail to log in twice, and count this as `failures` failed logins in a row."""
    device = {"device_token": device_token} if device_token else {}
    assert (await auth.login(name, "guessing", **device)).status_code == 400
    async with db_sessions.begin() as session:
        past = {"failures": failures - 1, "next_attempt_at": func.now() - timedelta(minutes=1)}
        await session.execute(update(FailedLogin).where(FailedLogin.failures == 1).values(**past))
    assert (await auth.login(name, "guessing", **device)).status_code == 400


async def end_pauses(refusals: RememberedRefusals) -> None:
    async with db_sessions.begin() as session:
        await session.execute(update(FailedLogin).values(next_attempt_at=func.now() - timedelta(minutes=1)))
    refusals.clear()


async def attempts() -> list[int]:
    """Return how many attempts of the last minute each row counts. Each attempt hashes a password."""
    async with db_sessions() as session:
        return [len(times) for times in await session.scalars(select(FailedLogin.attempt_times))]


def error(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json().get("error", "")


async def log_in_with_code(auth: AuthClient, mail_server: MailServer) -> dict[str, str]:
    challenge = (await auth.http.post("/auth/email/code", json={"email": EMAIL})).json()["challenge"]
    await send_due()
    found = re.search(r"^\d{6}\r?$", mail_server.mails[-1].text, re.MULTILINE)
    assert found is not None, mail_server.mails[-1].text
    answer = await auth.token("urn:shop:grant-type:mail-code", challenge=challenge, code=found.group().strip())
    assert answer.status_code == 200, answer.text
    tokens: dict[str, str] = answer.json()
    return tokens


async def reset(auth: AuthClient, mail_server: MailServer) -> httpx.Response:
    await auth.http.post("/auth/password/forgot", json={"email": EMAIL})
    await send_due()
    body = {"token": token_in(mail_server.mails[-1]), "password": NEW}
    answer = await auth.http.post("/auth/password/reset", json=body)
    assert answer.status_code == 204, answer.text
    return answer


@pytest.mark.parametrize("name", [EMAIL, "nobody@example.com"], ids=["known", "unknown"])
async def test_login_when_there_were_a_hundred_failures_in_a_row_then_no_password_is_tried(
    auth: AuthClient, refusals: RememberedRefusals, name: str
) -> None:
    await auth.register(EMAIL)
    await fail(auth, name, MAX_FAILURES - 1)
    await end_pauses(refusals)
    assert error(await auth.login(name, "guessing")) == (400, "invalid_grant"), "the hundredth"
    await end_pauses(refusals)
    before, throttled = await attempts(), metric("auth_throttled_total", limit="mail_code")
    answers = [await auth.login(name) for _ in range(3)]
    assert {error(answer) for answer in answers} == {(403, "mail_code_required")}
    assert "code from a mail" in answers[0].json()["error_description"]
    assert await attempts() == before
    assert metric("auth_throttled_total", limit="mail_code") == throttled + 3
    assert (await auth.register()).status_code == 201, "other names are not affected"


async def by_known_device(auth: AuthClient, _: MailServer, device_token: str) -> str:
    assert (await auth.login(EMAIL, device_token=device_token)).status_code == 200
    return PASSWORD


async def by_code(auth: AuthClient, mail_server: MailServer, _: str) -> str:
    tokens = await log_in_with_code(auth, mail_server)
    assert (await auth.login(EMAIL, device_token=tokens["device_token"])).status_code == 200, "the device is known now"
    return PASSWORD


async def by_reset(auth: AuthClient, mail_server: MailServer, _: str) -> str:
    await reset(auth, mail_server)
    return NEW


@pytest.mark.parametrize("end", [by_known_device, by_code, by_reset])
async def test_login_when_the_owner_has_logged_in_then_unknown_devices_can_use_the_password_again(
    auth: AuthClient, mail_server: MailServer, end: Callable[[AuthClient, MailServer, str], Awaitable[str]]
) -> None:
    await auth.register(EMAIL)
    device_token = (await auth.login(EMAIL)).json()["device_token"]
    await fail(auth, EMAIL, MAX_FAILURES)
    assert error(await auth.login(EMAIL)) == (403, "mail_code_required")
    password = await end(auth, mail_server, device_token)
    assert (await auth.login(EMAIL, password)).status_code == 200


async def test_reset_when_the_account_has_a_staff_role_then_its_device_is_known_and_guesses_do_not_delay_it(
    auth: AuthClient, mail_server: MailServer
) -> None:
    await auth.register(EMAIL)
    async with db_sessions.begin() as session:
        await session.execute(update(Account).values(role="support"))
    await fail(auth, EMAIL, MAX_FAILURES)
    cookie = (await reset(auth, mail_server)).headers["set-cookie"].split(";")[0]
    for _ in range(20):
        await auth.login(EMAIL, "guessing")
    assert (await auth.login(EMAIL, NEW)).status_code == 429
    form = {"grant_type": "password", "username": EMAIL, "password": NEW}
    assert (await auth.http.post("/auth/token", data=form, headers={"Cookie": cookie})).status_code == 200


async def test_login_when_a_known_device_failed_a_hundred_times_then_no_password_is_tried_on_it(
    auth: AuthClient, refusals: RememberedRefusals
) -> None:
    await auth.register(EMAIL)
    device_token = (await auth.login(EMAIL)).json()["device_token"]
    await fail(auth, EMAIL, MAX_FAILURES, device_token)
    await end_pauses(refusals)
    assert error(await auth.login(EMAIL, device_token=device_token)) == (403, "mail_code_required")
    assert (await auth.login(EMAIL)).status_code == 200, "other devices are not affected"


async def test_login_when_the_shop_sends_no_mail_then_there_are_only_pauses(
    auth: AuthClient, refusals: RememberedRefusals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "settings", settings.model_copy(update={"auth_smtp_url": None}))
    await auth.register(EMAIL)
    await fail(auth, EMAIL, MAX_FAILURES)
    refused = await auth.login(EMAIL)
    assert (error(refused), refused.headers["retry-after"]) == ((429, "temporarily_unavailable"), "60")
    await end_pauses(refusals)
    assert (await auth.login(EMAIL)).status_code == 200


async def test_a_hundred_failures_are_remembered_for_ninety_days(auth: AuthClient) -> None:
    await fail(auth, EMAIL, MAX_FAILURES)
    async with db_sessions.begin() as session:
        await session.execute(update(FailedLogin).values(forget_at=FailedLogin.forget_at - timedelta(days=89)))
        await prune(session)
        row = (await session.scalars(select(FailedLogin))).one()
        assert row.failures == MAX_FAILURES
        await session.execute(
            update(FailedLogin).values(forget_at=FailedLogin.forget_at + timedelta(days=89) - RETENTION_OF_MAX_FAILURES)
        )
        await prune(session)
        assert (await session.scalars(select(FailedLogin))).all() == []
