"""Operators search for accounts."""

from sqlalchemy import text

from services.auth.db import reading_engine
from services.auth.settings import settings
from tests.fixtures.auth import AuthClient
from tests.fixtures.auth_management import Headers, ban, found, register
from tests.fixtures.emptying import superuser
from tests.fixtures.owners import owner_sessions
from tests.fixtures.statements import recorded_with_parameters


async def test_list_when_searched_by_address_name_or_id_finds_the_account(
    auth: AuthClient, administrator: Headers
) -> None:
    ada = await register(auth, "ada@example.com", "Ada Obi")
    await register(auth, "obinna_50%@example.com", "Chidi J.Okafor")
    for q, expected in {
        "ADA@": ["ada@example.com"],
        "Ada@Example.com": ["ada@example.com"],
        "da@": [],
        ada: ["ada@example.com"],
        "obi": ["obinna_50%@example.com", "ada@example.com"],
        "obi ada": ["ada@example.com"],
        "okaf": ["obinna_50%@example.com"],
        "obinna_": ["obinna_50%@example.com"],
        "obinna%": [],
        "' | \\ & !": [],
    }.items():
        assert await found(auth, administrator, q=q) == expected, q


async def test_list_when_there_are_several_pages_returns_each_account_once(
    auth: AuthClient, administrator: Headers
) -> None:
    expected = [f"user{number}@example.com" for number in range(5)]
    for address in expected:
        await register(auth, address)
    pages: list[str] = []
    params = {"q": "user", "limit": "2"}
    while True:
        page = (await auth.http.get("/auth/users", headers=administrator, params=params)).json()
        pages += [item["email"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
    assert pages == expected[::-1]


async def test_list_when_filtered_by_role_and_status_returns_only_these(
    auth: AuthClient, administrator: Headers
) -> None:
    banned = await register(auth, "banned@example.com")
    await register(auth, "active@example.com")
    await ban(auth, administrator, banned)
    assert await found(auth, administrator, status="banned") == ["banned@example.com"]
    assert await found(auth, administrator, status="active", role="customer") == ["active@example.com"]
    assert await found(auth, administrator, role="admin") == [settings.auth_admin_email]


async def test_list_when_there_are_many_accounts_uses_an_index_for_every_search(
    auth: AuthClient, administrator: Headers
) -> None:
    rows = (
        "INSERT INTO accounts (id, email, name, password_hash)"
        " SELECT gen_random_uuid(), 'user' || n || '@example.com', 'Name' || n, '!' FROM generate_series(1, 20000) n"
    )
    async with owner_sessions("auth").begin() as session:
        await session.execute(text(rows))
    superuser_session = await superuser("auth")
    try:
        await superuser_session.execute(
            "VACUUM ANALYZE accounts"
        )  # also puts new entries of the GIN index in their place
    finally:
        await superuser_session.close(timeout=5)
    searches: list[tuple[dict[str, str | int], str]] = [
        ({"q": "user12345@"}, "ix_accounts_email_prefix"),
        ({"q": "name12345"}, "ix_accounts_name_words"),
        ({}, "ix_accounts_created_at_id"),
        ({"status": "banned"}, "ix_accounts_banned"),
    ]
    for params, index in searches:
        with recorded_with_parameters(reading_engine) as statements:
            await found(auth, administrator, **params)
        statement, parameters = next(sent for sent in statements if "FROM accounts" in sent[0])
        async with reading_engine.connect() as connection:
            plan = (await connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)).scalars().all()
        assert "Seq Scan" not in str(plan), plan
        assert index in str(plan), plan
    assert await found(auth, administrator, q="user12345@") == ["user12345@example.com"]
