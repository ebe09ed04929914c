from uuid import UUID

import pytest

from services.auth.clients import records
from services.auth.clients.records import ClientRefused
from services.auth.db import db_sessions


@pytest.mark.parametrize("client_id", ["", "Reporter", "a b", "a" * 31, str(UUID(int=10**38)), UUID(int=10**38).hex])
async def test_create_when_the_id_is_malformed_or_could_be_an_account_then_refused(client_id: str) -> None:
    async with db_sessions.begin() as session:
        with pytest.raises(ClientRefused, match="cannot be a client_id"):
            await records.create(session, client_id, {"orders:read"}, public=False)


async def test_create_when_the_id_is_taken_then_refused() -> None:
    async with db_sessions.begin() as session:
        await records.create(session, "reporter", {"orders:read", "payments:read"}, public=False)
        for name in ("reporter", "shop"):
            with pytest.raises(ClientRefused, match="already exists"):
                await records.create(session, name, {"orders:read"}, public=False)


@pytest.mark.parametrize(
    ("public", "scopes", "reason"),
    [
        (False, {"all"}, "cannot be granted to programs: all"),
        (False, {"orders:write"}, "cannot be granted to programs: orders:write"),
        (False, {"orders:read", "payments:write"}, "cannot be granted to programs: payments:write"),
        (False, set(), "name at least one scope"),
        (True, {"all"}, "cannot be granted to the people"),
    ],
)
async def test_scopes_when_they_are_not_for_this_kind_of_client_then_refused(
    public: bool, scopes: set[str], reason: str
) -> None:
    async with db_sessions.begin() as session:
        with pytest.raises(ClientRefused, match=reason):
            await records.create(session, "another", scopes, public=public)
        await records.create(session, "existing", {"orders:read"}, public=public)
        with pytest.raises(ClientRefused, match=reason):
            await records.set_scopes(session, "existing", scopes)


async def test_secrets_when_there_are_two_then_a_third_is_refused() -> None:
    async with db_sessions.begin() as session:
        first = await records.create(session, "reporter", {"orders:read"}, public=False)
        assert first is not None
        second = await records.add_secret(session, "reporter")
        with pytest.raises(ClientRefused, match=f"{first.id}, {second.id}. Remove the one"):
            await records.add_secret(session, "reporter")
        with pytest.raises(ClientRefused, match="is a public client"):
            await records.add_secret(session, "shop")
        for client_id, secret_id in (("reporter", second.id + 1), ("shop", first.id), ("unknown", first.id)):
            with pytest.raises(ClientRefused):
                await records.remove_secret(session, client_id, secret_id)
