import hashlib
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, update

from services.auth.db import db_sessions
from services.auth.models import Account
from services.auth.throttling import devices
from services.auth.throttling.devices import MAX_DEVICES
from services.auth.throttling.models import Device
from tests.fixtures.auth import AuthClient


@pytest.fixture
async def account_id(email: str) -> UUID:
    async with db_sessions() as session:
        return (await session.scalars(select(Account.id))).one()


async def _remember(account_id: UUID) -> str:
    async with db_sessions.begin() as session:
        return await devices.remember(session, account_id, None)


async def test_login_stores_only_the_digest_of_the_device_token_for_ninety_days(auth: AuthClient, email: str) -> None:
    token = (await auth.login(email)).json()["device_token"]
    assert len(token) == 43
    async with db_sessions() as session:
        device = (await session.scalars(select(Device))).one()
    assert device.token_digest == hashlib.sha256(token.encode()).digest()
    assert device.expires_at - device.last_login_at == timedelta(days=90)


async def test_login_when_the_device_is_known_then_it_stays_known_longer(auth: AuthClient, email: str) -> None:
    token = (await auth.login(email)).json()["device_token"]
    soon = datetime.now(UTC) + timedelta(days=1)
    async with db_sessions.begin() as session:
        await session.execute(update(Device).values(expires_at=soon))
    assert (await auth.login(email, device_token=token)).json()["device_token"] == token
    async with db_sessions() as session:
        assert (await session.scalars(select(Device.expires_at))).one() > soon


async def test_remember_when_an_account_has_too_many_devices_then_the_oldest_is_forgotten(
    email: str, account_id: UUID
) -> None:
    tokens = [await _remember(account_id) for _ in range(MAX_DEVICES + 2)]
    async with db_sessions() as session:
        assert len((await session.scalars(select(Device))).all()) == MAX_DEVICES
        known = [await devices.find(session, token, email) is not None for token in tokens]
    assert known == [False] * 2 + [True] * MAX_DEVICES


async def test_remember_when_the_known_device_was_forgotten_meanwhile_then_a_new_token(
    email: str, account_id: UUID
) -> None:
    token = await _remember(account_id)
    async with db_sessions.begin() as session:
        known = await devices.find(session, token, email)
        assert known is not None
        await devices.forget_all(session, account_id)
        assert await devices.remember(session, account_id, known) != token


async def test_devices_when_the_account_is_deleted_are_deleted(email: str, account_id: UUID) -> None:
    await _remember(account_id)
    async with db_sessions.begin() as session:
        await session.delete(await session.get_one(Account, account_id))
    async with db_sessions() as session:
        assert (await session.scalars(select(Device))).all() == []
