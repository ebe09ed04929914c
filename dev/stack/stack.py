"""The map of the stack: what runs, in which order it comes up, and what each part waits for.

postgres ─► roles and databases ─► migrations ─┐
epmd ─► rabbitmq ──────────────────────────────┼─► auth, catalog, payments, their workers, the sandbox ─► ready
signing key of auth ───────────────────────────┘

async with Stack() as stack:                        # a temporary folder, free ports
    stack.env["PAYMENTS_URL"]                       # the same names as in .run/stack.env
    os.kill(stack.pid("payments-worker"), SIGKILL)
    await stack.revived("payments-worker", pid)     # another PID, and ready
    await stack.stop("rabbitmq")                    # held down
    await stack.start("rabbitmq")                   # same port, same data
"""

import asyncio
import contextlib
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from dev.process import accounts
from dev.process.console import Console
from dev.process.files import write_private
from dev.process.ports import LOOPBACK, free
from dev.process.supervisor import NotReady, NotStarted, Part, Program, run_once
from dev.servers import packages
from dev.servers.postgres import Postgres
from dev.servers.rabbitmq import RabbitMQ, check_broker
from dev.servers.state import Keepsakes
from dev.stack.addresses import free_ports, server_ports, usual_ports, wanted
from dev.stack.configuration import SERVICES, Wiring, wire
from dev.stack.environment import given
from dev.stack.readiness import answers, check_database

NO_FOLDER = Path()
PROJECT = Path(__file__).resolve().parents[2]
# In this order they are written to stack.env, and stopped: whoever needs a server goes before the server.
PARTS = (
    "auth",
    "auth-worker",
    "catalog",
    "catalog-worker",
    "payments",
    "payments-worker",
    "sandbox",
    "rabbitmq",
    "postgres",
)
SERVERS = ("rabbitmq", "epmd", "postgres")


class Stack:
    """The whole shop, with servers of its own where the environment names none.

    Ports are "usual" (8001, 8002, 8003, 8010, or what AUTH_PORT … say) or "free". `extra_env` goes to every service,
    `part_env` to the part of that name. Without a folder it lives in a temporary one, which goes when it stops.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        ports: Literal["usual", "free"] = "free",
        extra_env: Mapping[str, str] | None = None,
        part_env: Mapping[str, Mapping[str, str]] | None = None,
        console: Console | None = None,
    ) -> None:
        self._temporary = folder is None
        self._given_folder = folder
        self._choose_ports = {"usual": usual_ports, "free": free_ports}[ports]
        self._extra_env = extra_env or {}
        self._part_env = part_env or {}
        self._console = console or Console()
        self._parts: dict[str, Part] = {}
        self._wiring: Wiring | None = None
        self._up = False
        self.folder = NO_FOLDER

    @property
    def env(self) -> dict[str, str]:
        """What `.run/stack.env` holds: addresses, secrets, and the PID of each part (empty: it does not run)."""
        if self._wiring is None:
            raise NotStarted("the stack has not been started")
        pids = {name: self._parts[name].pid if name in self._parts else None for name in PARTS}
        return {
            **self._wiring.stack_env(),
            **{f"PID_{name.upper().replace('-', '_')}": str(pid or "") for name, pid in pids.items()},
        }

    def pid(self, name: str) -> int:
        """The PID of a part that runs."""
        pid = self._parts[name].pid
        if pid is None:
            raise NotStarted(f"{name} does not run")
        return pid

    def environment(self, service: str) -> dict[str, str]:
        """What that service is given: for another process of it."""
        return {**self._wired().env(service), **self._extra_env}

    def ended(self, name: str) -> int | None:
        """The exit code of a part's last life; None where it still lives its first."""
        return self._parts[name].code

    def url(self, name: str) -> str:
        """Where a part answers, the workers too."""
        return self._wired().url(name)

    def twin(self, name: str, env: Mapping[str, str] | None = None) -> tuple[Part, str]:
        """Another process of a part, not started yet, and where it will answer. Who asks for it starts and stops it."""
        (port,) = free(1)
        url = f"http://{LOOPBACK}:{port}"

        async def ready() -> None:
            await answers(f"{url}/readyz")

        program = self._service(name)
        own = {f"{name.upper().replace('-', '_')}_PORT": str(port), **(env or {})}
        program = replace(program, name=f"{name}-twin", env={**program.env, **own}, ready=ready)
        return Part(program, self._console, lambda: None), url

    def recent(self, name: str) -> list[str]:
        """The last lines that a part printed."""
        return self._console.recent(name)

    async def start(self, name: str, env: Mapping[str, str] | None = None) -> None:
        """Starts one part that was stopped, with `env` on top of its environment, and returns when it is ready."""
        await self._parts[name].start({**self._part_env.get(name, {}), **(env or {})})

    async def stop(self, name: str) -> None:
        """Stops one part and holds it down until `start`."""
        await self._parts[name].stop()

    async def revived(self, name: str, pid: int, timeout: float = 60.0) -> int:
        """Waits until a part runs under another PID than `pid` and is ready; answers with the new PID."""
        part = self._parts[name]
        async with asyncio.timeout(timeout):
            while True:
                if part.ready and part.pid not in (None, pid):
                    return self.pid(name)
                await asyncio.sleep(0.05)

    def is_ready(self, name: str) -> bool:
        """Whether a part runs and has been ready since it was started last."""
        return name in self._parts and self._parts[name].ready

    def lives(self, name: str) -> int:
        """How often a part was started."""
        return self._parts[name].lives

    def stop_signal(self, name: str) -> signal.Signals:
        """With which a part is asked to stop."""
        return self._parts[name].program.stop_signal

    async def answers(self, name: str, timeout: float = 60.0) -> None:
        """Waits until a part that runs answers as it should: after it was frozen, for instance."""
        async with asyncio.timeout(timeout):
            while True:
                with contextlib.suppress(NotReady):
                    return await self._parts[name].program.ready()
                await asyncio.sleep(0.05)

    async def __aenter__(self) -> Self:
        await self.up()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.down()

    async def up(self) -> None:
        """Starts everything. Raises NotStarted, with nothing left running, when a part does not come up."""
        started = time.monotonic()
        try:
            await self._up_all()
        except BaseException as error:
            await self.down()
            while isinstance(error, BaseExceptionGroup):  # of parts that came up together: the first failure says it
                error = error.exceptions[0]
            raise error from None
        self._console.say(f"all is up after {time.monotonic() - started:.1f} s")

    async def down(self) -> None:
        """Stops everything: the services, then the broker, then Postgres. Leaves no process."""
        self._up = False
        if self.folder == NO_FOLDER:
            return
        (self.folder / "stack.env").unlink(missing_ok=True)
        services = [part for name, part in self._parts.items() if name not in SERVERS]
        await self._stop_together(services)
        for name in SERVERS:
            if name in self._parts:
                await self._stop_together([self._parts[name]])
        if self._temporary:
            accounts.remove_elsewhere(self.folder / "postgres")
            await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)

    def kill(self) -> None:
        """For somebody in a hurry: SIGKILLs what still runs. `down` is still to be awaited."""
        for part in self._parts.values():
            part.kill()

    async def _up_all(self) -> None:
        self.folder = await asyncio.to_thread(make_folder, self._given_folder)
        keepsakes = Keepsakes(self.folder / "kept.json")
        apis = self._choose_ports(wanted())
        broker = None if given("AMQP_URL") else await packages.rabbitmq_server(self._console)
        own = server_ports(keepsakes)
        databases = {service: given(f"{service.upper()}_DATABASE_URL") for service in SERVICES}
        missing = [service for service, url in databases.items() if not url]
        postgres = Postgres(self.folder / "postgres", own["postgres"], keepsakes, missing)
        node = RabbitMQ(self.folder / "rabbitmq", (own["rabbitmq"], own["distribution"], own["epmd"]), keepsakes)
        self._wiring = wire(
            self.folder,
            apis,
            {service: url or postgres.url(service) for service, url in databases.items()},
            given("AMQP_URL") or node.url,
            keepsakes,
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(self._up_databases(postgres if missing else None))
            group.create_task(self._up_broker(node, broker))
        async with asyncio.TaskGroup() as group:
            for name in apis:
                group.create_task(self._begin(self._service(name)))
        self._up = True
        self._write_env()

    async def _up_databases(self, postgres: Postgres | None) -> None:
        wiring = self._wired()
        if postgres:
            await self._begin(await postgres.prepare(self._console))
            await postgres.make_databases()
        for service in SERVICES:
            if postgres is None or given(f"{service.upper()}_DATABASE_URL"):
                await check_database(f"{service.upper()}_DATABASE_URL", wiring.databases[service])
        async with asyncio.TaskGroup() as group:
            for service in SERVICES:
                group.create_task(self._once(service, "migrate", f"{service}: database migrated"))
            group.create_task(self._once("auth", "keys", "auth: signing key in place"))

    async def _up_broker(self, node: RabbitMQ, server: Path | None) -> None:
        if server is None:
            await check_broker(self._wired().amqp_url)
            return
        self._console.say("rabbitmq is starting (4 to 8 s)")
        for program in await node.prepare(server):
            await self._begin(program)

    async def _begin(self, program: Program) -> None:
        part = self._parts[program.name] = Part(program, self._console, self._write_env)
        await part.start(self._part_env.get(program.name))

    async def _once(self, service: str, verb: str, done: str) -> None:
        started = time.monotonic()
        await run_once(self._program(service, f"{service}-{verb}", [f"services.{service}", verb]), self._console)
        self._console.say(f"{done} in {time.monotonic() - started:.1f} s")

    def _service(self, name: str) -> Program:
        service, _, worker = name.partition("-")
        if worker:
            return self._program(service, name, [f"services.{service}", "worker"])
        module = ["sandbox"] if service == "sandbox" else [f"services.{service}", "serve"]
        return self._program(service, name, module)

    def _program(self, service: str, name: str, module: list[str]) -> Program:
        wiring = self._wired()

        async def ready() -> None:
            await answers(f"{wiring.url(name)}/readyz")

        return Program(
            name=name,
            command=[sys.executable, "-m", *module],
            env=self.environment(service),
            cwd=PROJECT,
            ready=ready,
            stop_seconds=20.0,
        )

    def _wired(self) -> Wiring:
        if self._wiring is None:
            raise NotStarted("the stack has not been started")
        return self._wiring

    def _write_env(self) -> None:
        """Rewrites stack.env at once. A part that has died keeps its old PID there until it has a new one."""
        if self._up:
            lines = [f"{name}={value}\n" for name, value in self.env.items()]
            write_private(self.folder / "stack.env", "".join(lines))

    async def _stop_together(self, parts: list[Part]) -> None:
        running = [part for part in parts if part.pid is not None]
        if not running:
            return
        started = time.monotonic()
        await asyncio.gather(*(part.stop() for part in running))
        names = ", ".join(part.name for part in running)
        self._console.say(f"stopped {names} in {time.monotonic() - started:.1f} s")


def make_folder(given_folder: Path | None) -> Path:
    """The folder of a stack. Others may pass through it, for Postgres's account, but read nothing in it."""
    if given_folder is None:
        folder = Path(tempfile.mkdtemp(prefix="shop-"))
        folder.chmod(0o711)
        return folder
    given_folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    return given_folder.absolute()
