import asyncio

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from contracts.tokens import ADMIN_SCOPES
from services.auth import admin
from services.auth.db import sessions
from services.auth.models import Account
from services.auth.settings import settings
from tests.auth.conftest import Shop

assert settings.auth_admin_email is not None
assert settings.auth_admin_password is not None
EMAIL = settings.auth_admin_email
PASSWORD = settings.auth_admin_password.get_secret_value()


async def _hash() -> str:
    async with sessions() as session:
        return (await session.execute(select(Account.password_hash).where(Account.email == EMAIL))).scalar_one()


async def test_is_there_after_any_number_of_starts(shop: Shop) -> None:
    assert sorted(await asyncio.gather(admin.ensure(), admin.ensure(), admin.ensure()))[-1] is True
    stored = await _hash()
    assert await admin.ensure() is False
    assert await _hash() == stored
    assert set((await shop.login(EMAIL, PASSWORD)).json()["scope"].split()) == ADMIN_SCOPES


async def test_a_changed_password_counts_and_ends_what_the_old_one_opened(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await admin.ensure()
    opened = (await shop.login(EMAIL, PASSWORD)).json()["refresh_token"]
    other = SecretStr("quite another one")
    monkeypatch.setattr(admin, "settings", settings.model_copy(update={"auth_admin_password": other}))
    assert await admin.ensure() is True
    assert (await shop.login(EMAIL, PASSWORD)).status_code == 400
    assert (await shop.refresh(opened)).status_code == 400
    assert (await shop.login(EMAIL, "quite another one")).status_code == 200


async def test_whoever_took_the_address_before_gets_nothing(shop: Shop) -> None:
    await shop.register(EMAIL, "a password of somebody else")
    taken = (await shop.login(EMAIL, "a password of somebody else")).json()
    await admin.ensure()
    assert (await shop.login(EMAIL, "a password of somebody else")).status_code == 400
    assert (await shop.refresh(taken["refresh_token"])).status_code == 400
    assert (await shop.login(EMAIL, PASSWORD)).status_code == 200


async def test_none_is_made_where_none_is_named(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = settings.model_copy(update={"auth_admin_email": None, "auth_admin_password": None})
    monkeypatch.setattr(admin, "settings", nobody)
    assert await admin.ensure() is False


async def test_goes_on_trying_while_the_database_is_away(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    away = True

    class Sometimes:
        def begin(self) -> object:
            if away:
                raise ConnectionRefusedError(111, "refused")
            return sessions.begin()

    monkeypatch.setattr(admin, "sessions", Sometimes())
    monkeypatch.setattr(admin, "RETRY_SECONDS", 0.01)
    keeper = admin.Admin()
    async with keeper.ensured():
        assert await keeper.check() is not None
        away = False
        async with asyncio.timeout(10):
            while await keeper.check() is not None:  # noqa: ASYNC110 -- nothing rings when it is there
                await asyncio.sleep(0.01)
    assert (await shop.login(EMAIL, PASSWORD)).status_code == 200
