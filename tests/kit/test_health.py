"""Readiness: the reason in words, within its time, however often it is asked."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI

from kit.http.health import Health


async def asked(health: Health, times: int = 1) -> list[httpx.Response]:
    app = FastAPI()
    app.include_router(health.router())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x.test") as client:
        assert (await client.get("/livez")).status_code == 200
        return await asyncio.gather(*(client.get("/readyz") for _ in range(times)))


async def well() -> str | None:
    return None


async def late() -> str | None:
    return "three notices wait"


async def broken() -> str | None:
    raise RuntimeError("first line\nsecond line")


async def mute() -> str | None:
    raise RuntimeError


async def test_all_is_well() -> None:
    (answer,) = await asked(Health({"database": well}))
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})


async def test_every_reason_is_told() -> None:
    (answer,) = await asked(Health({"database": well, "backlog": late, "broker": broken, "other": mute}))
    assert answer.status_code == 503
    body = answer.json()
    assert body["code"] == "not_ready"
    assert body["checks"] == {
        "backlog": "three notices wait",
        "broker": "RuntimeError: first line",
        "other": "RuntimeError: ",
    }


async def test_a_check_that_hangs_has_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hangs() -> str | None:
        await asyncio.Event().wait()
        return None

    async with asyncio.timeout(3):
        (answer,) = await asked(Health({"broker": hangs}))
    assert answer.json()["checks"] == {"broker": "no response within 2 s"}


async def test_a_hundred_questions_are_one() -> None:
    counted = 0

    async def count() -> str | None:
        nonlocal counted
        counted += 1
        return None

    answers = await asked(Health({"database": count}), 100)
    assert {answer.status_code for answer in answers} == {200}
    assert counted == 1
