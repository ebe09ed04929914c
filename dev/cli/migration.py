"""`make migration SERVICE=catalog NAME="add weight"`: write the next migration of a service by comparing its models with its migrations.

A temporary private Postgres is migrated to the newest revision. Alembic's autogenerate then compares its tables with the models.
"""

import asyncio
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

from dev import PROJECT
from dev.cli.arguments import service_argument
from dev.dummy_environment import dummy_environment
from dev.process import system_users
from dev.process.console import Console
from dev.process.program import NotStarted, Program
from dev.process.spawn import run_to_completion
from dev.process.supervisor import Supervisor
from dev.servers.postgres import Postgres
from dev.servers.state import State
from dev.stack.addresses import server_ports

NAME = re.compile(r"[a-z0-9][a-z0-9 _-]*", re.IGNORECASE)
MAX_NAME = 40
"""Alembic truncates longer names in the file name."""
NUMBER = re.compile(r"(\d+)_.*\.py")


def main() -> int:
    """Write the migration and return the exit code."""
    folder = Path(tempfile.mkdtemp(prefix="shop-migration-"))
    folder.chmod(0o711)
    console = Console()
    try:
        service = service_argument("migration", more_arguments=' NAME="add weight"')
        name = name_argument()
        path = asyncio.run(write_migration(service, name, folder, console))
    except NotStarted as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        system_users.remove_relocated_folder(folder / "postgres")
        shutil.rmtree(folder, ignore_errors=True)
        console.close()
    print(f"wrote {path.relative_to(PROJECT)}: review it, and add a docstring that explains the reason for the change")
    if is_empty(path.read_text()):
        print("upgrade() is empty, because the models do not differ from the migrations")
    return 0


def name_argument() -> str:
    """Return NAME. Raises NotStarted if it is missing or not a short name."""
    name = os.environ.get("NAME", "").strip()
    usage = 'make migration SERVICE=catalog NAME="add weight"'
    if not name:
        raise NotStarted(f"NAME is missing: {usage}")
    if len(name) > MAX_NAME or not NAME.fullmatch(name):
        raise NotStarted(f"NAME={name}: use at most {MAX_NAME} letters, digits, spaces, - and _: {usage}")
    return name


def next_revision(versions: Path) -> str:
    """Return the number after the newest migration in a folder, in four digits."""
    numbers = [int(match[1]) for path in versions.glob("*.py") if (match := NUMBER.fullmatch(path.name))]
    return f"{max(numbers, default=0) + 1:04}"


async def write_migration(service: str, name: str, folder: Path, console: Console) -> Path:
    """Write the migration and return its path. Raises NotStarted if Postgres, the migrations or alembic fail."""
    state = State(folder / "state.json")
    server = Postgres(folder / "postgres", server_ports(state)["postgres"], state, [service])
    supervisor = Supervisor(await server.prepare(console), console)
    await supervisor.start()
    try:
        await server.create_databases()
        variables = {f"{service.upper()}_MIGRATION_DATABASE_URL": server.owner_url(service)}
        versions = PROJECT / "services" / service / "migrations" / "versions"
        before = set(versions.glob("*.py"))
        revision = next_revision(versions)
        await _run(console, variables, "alembic", "-n", service, "upgrade", "head")
        await _run(
            console, variables, "alembic", "-n", service, "revision", "--autogenerate", "-m", name, "--rev-id", revision
        )
        (path,) = set(versions.glob("*.py")) - before
        await _run(console, variables, "ruff", "check", "--fix", "--quiet", str(path))
        await _run(console, variables, "ruff", "format", "--quiet", str(path))
        return path
    finally:
        await supervisor.stop()


async def _run(console: Console, variables: dict[str, str], module: str, *arguments: str) -> None:
    program = Program(
        name=f"{module} {arguments[0]}",
        command=[sys.executable, "-m", module, *arguments],
        env={**dummy_environment(), **variables},
        cwd=PROJECT,
        umask=0o022,
    )
    await run_to_completion(program, console)


def is_empty(migration: str) -> bool:
    """Return True if upgrade() of a migration does nothing."""
    body = migration.partition("def upgrade()")[2].partition("def downgrade()")[0]
    return "op." not in body
