"""Readiness: the reasons in words, within two seconds, whatever the number of requests."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI

from kit.errors import install_error_handlers
from kit.http import health
from kit.http.health import Health


async def get_readyz(checks: Health, times: int = 1) -> list[httpx.Response]:
    app = FastAPI()
    install_error_handlers(app)
    app.include_router(checks.router("sample"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x.test") as client:
        assert (await client.get("/livez")).status_code == 200
        return await asyncio.gather(*(client.get("/readyz") for _ in range(times)))


async def working() -> str | None:
    return None


async def delayed() -> str | None:
    return "three webhook events wait"


async def broken() -> str | None:
    raise RuntimeError("first line\nsecond line")


async def failing_without_message() -> str | None:
    raise RuntimeError


async def test_readyz_without_failed_checks_is_200() -> None:
    (response,) = await get_readyz(Health({"database": working}))
    assert (response.status_code, response.json()) == (200, {"status": "ready"})


async def test_readyz_with_warnings_is_200_and_lists_them() -> None:
    (response,) = await get_readyz(Health({"database": working}, {"administrators": delayed, "other": working}))
    assert (response.status_code, response.json()) == (
        200,
        {"status": "ready", "warnings": {"administrators": "three webhook events wait"}},
    )


async def test_readyz_lists_the_reasons_of_failed_checks() -> None:
    (response,) = await get_readyz(
        Health({"database": working, "backlog": delayed, "broker": broken, "other": failing_without_message})
    )
    assert response.status_code == 503
    body = response.json()
    assert body["code"] == "not_ready"
    assert body["checks"] == {
        "backlog": "three webhook events wait",
        "broker": "RuntimeError: first line",
        "other": "RuntimeError: ",
    }


async def test_a_check_that_takes_longer_than_two_seconds_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    assert health.CHECK_SECONDS == 2
    monkeypatch.setattr(health, "CHECK_SECONDS", 0.05)

    async def hangs() -> str | None:
        await asyncio.Event().wait()
        return None

    async with asyncio.timeout(3):
        (response,) = await get_readyz(Health({"broker": hangs}))
    assert response.json()["checks"] == {"broker": "no response within 0.05 s"}


async def test_concurrent_requests_share_one_run_of_the_checks() -> None:
    counted = 0

    async def count() -> str | None:
        nonlocal counted
        counted += 1
        return None

    responses = await get_readyz(Health({"database": count}), 100)
    assert {response.status_code for response in responses} == {200}
    assert counted == 1
