"""Logins and reused refresh tokens in the log and in the metrics."""

from typing import Any

import pytest
from sqlalchemy import func, text, update

from services.auth.db import db_sessions
from services.auth.sessions.models import LoginSession
from tests.fixtures.auth import AuthClient
from tests.fixtures.log_lines import log_lines
from tests.fixtures.metrics import metric

LINES = ("login ", "refresh token reused", "request throttled")


def about_logins(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [line for line in log_lines(caplog) if line["event"].startswith(LINES)]


def logins(result: str) -> float:
    return metric("auth_logins_total", method="password", result=result)


async def test_login_when_it_fails_or_is_throttled_is_logged_with_address_and_hashed_name_and_counted(
    auth: AuthClient, email: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = {result: logins(result) for result in ("succeeded", "failed", "throttled")}
    caplog.clear()
    for _ in range(5):
        await auth.login(email, "wrong")
    await auth.login(email.upper())
    await auth.login("nobody@example.com", "wrong")
    *failed, throttled, unknown = about_logins(caplog)
    assert [entry["event"] for entry in failed] == ["login failed"] * 5
    assert (throttled["event"], unknown["event"]) == ("login throttled", "login failed")
    assert {entry["address"] for entry in failed} == {"127.0.0.1"}
    assert len({entry["name_hash"] for entry in [*failed, throttled]}) == 1, "case does not matter"
    assert unknown["name_hash"] != throttled["name_hash"]
    assert email not in caplog.text
    assert {result: logins(result) - count for result, count in before.items()} == {
        "succeeded": 0,
        "failed": 6,
        "throttled": 1,
    }


async def test_login_when_it_succeeds_is_logged_with_the_account(
    auth: AuthClient, email: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = logins("succeeded")
    caplog.clear()
    tokens = (await auth.login(email)).json()
    (entry,) = about_logins(caplog)
    assert (entry["event"], entry["address"], entry["method"]) == ("login succeeded", "127.0.0.1", "password")
    assert entry["account_id"] == (await auth.me(tokens["access_token"])).json()["id"]
    assert logins("succeeded") == before + 1


async def test_refresh_token_when_reused_is_logged_with_address_and_hashed_name_and_counted(
    auth: AuthClient, email: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = metric("auth_refresh_tokens_reused_total")
    caplog.clear()
    tokens = (await auth.login(email)).json()
    await auth.refresh(tokens["refresh_token"])
    async with db_sessions.begin() as session:
        await session.execute(update(LoginSession).values(rotated_at=func.now() - text("interval '10 seconds'")))
    await auth.refresh(tokens["refresh_token"])
    login, reused = about_logins(caplog)
    assert reused["event"] == "refresh token reused and session ended"
    assert {key: reused[key] for key in ("address", "name_hash", "account_id")} == {
        key: login[key] for key in ("address", "name_hash", "account_id")
    }
    assert metric("auth_refresh_tokens_reused_total") == before + 1


async def test_signing_key_age_is_measured_when_a_token_is_signed(auth: AuthClient, email: str) -> None:
    await auth.login(email)
    assert metric("auth_signing_key_age_seconds") > 0
