from uuid import UUID

import pytest

from services.auth.clients import records
from services.auth.clients.records import ClientRefused
from services.auth.db import sessions


@pytest.mark.parametrize(
    "client_id", ["", "shop", "Reporter", "a b", "a" * 31, str(UUID(int=10**38)), UUID(int=10**38).hex]
)
async def test_create_when_the_id_is_malformed_or_could_be_an_account_then_refused(client_id: str) -> None:
    async with sessions.begin() as session:
        with pytest.raises(ClientRefused, match="cannot be"):
            await records.create(session, client_id, {"orders:read"})


async def test_create_when_the_id_is_taken_or_a_scope_unknown_then_refused() -> None:
    async with sessions.begin() as session:
        await records.create(session, "reporter", {"orders:read", "payments:read"})
        with pytest.raises(ClientRefused, match="already exists"):
            await records.create(session, "reporter", {"orders:read"})
        with pytest.raises(ClientRefused, match="unknown scope: all"):
            await records.create(session, "another", {"all"})
