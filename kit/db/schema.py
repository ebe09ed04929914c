"""Check that the database of a service is at the revision that the code needs.

Alembic is not imported: it takes a fifth of a second, and the services use it only to migrate.
"""

from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine


def migrations_folder(package: str) -> Path:
    """Return the folder of the migrations of a service package such as `services.auth`."""
    return Path(str(import_module(package).__file__)).parent / "migrations"


def newest_revision(package: str) -> str:
    """Return the revision that the code needs: the largest number that begins the name of a migration, such as 0001_auth.py."""
    return max(path.name.partition("_")[0] for path in (migrations_folder(package) / "versions").glob("[0-9]*_*.py"))


def schema_check(package: str, engine: AsyncEngine) -> Callable[[], Awaitable[str | None]]:
    """Return a readiness check: the database responds and is at the revision that this code needs."""
    newest = newest_revision(package)

    async def check() -> str | None:
        async with engine.connect() as connection:
            if (await connection.execute(text("SELECT to_regclass('alembic_version')"))).scalar_one() is None:
                return f"the database is empty and this code needs revision {newest}: run the migrations"
            found = (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar_one_or_none()
        return (
            None
            if found == newest
            else f"the schema is at revision {found} and this code needs {newest}: run the migrations"
        )

    return check
