"""catalog and payments in one process, each on its own database, with the broker and Paystack played so that tests can hold them."""

from collections.abc import AsyncIterator

import pytest
from services.catalog.identity import identity as catalog_identity

from kit.auth import JwksCache
from services.catalog import db as catalog_db
from services.payments import clients
from services.payments import db as payments_db
from services.payments.auth import identity as payments_identity
from tests.commerce.shop import Shop
from tests.conftest import Signer


@pytest.fixture(scope="session", autouse=True)
async def prepared(postgres: object, signer: Signer) -> AsyncIterator[None]:
    catalog_identity.keys = payments_identity.keys = JwksCache(signer.jwks)
    yield
    await clients.close()
    await catalog_db.engine.dispose()
    await payments_db.engine.dispose()


@pytest.fixture
async def shop(signer: Signer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shop]:
    async with Shop.opened(signer, monkeypatch) as found:
        yield found
