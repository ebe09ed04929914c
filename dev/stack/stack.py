"""The stack: which processes it has, in which order they start, and what each one waits for.

postgres ─► roles and databases ─► migrations ─┐
epmd ─► rabbitmq ──────────────────────────────┼─► auth, catalog, payments, their workers, the sandbox, the mail catcher ─► ready
signing key of auth ───────────────────────────┘

async with Stack() as stack:                        # a temporary folder, free ports
    stack.env["PAYMENTS_URL"]                       # the same names as in .run/stack.env
    pid = stack.pid("payments-worker")
    os.kill(pid, SIGKILL)
    await stack.wait_restarted("payments-worker", pid)   # it has another PID and is ready
    await stack.stop("rabbitmq")                    # it stays stopped
    await stack.start("rabbitmq")                   # the same port, the same data
"""

import asyncio
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from dev.process import system_users
from dev.process.console import Console
from dev.process.files import write_private
from dev.process.ports import LOOPBACK, release, reserve_free
from dev.process.program import NotStarted, Program
from dev.process.spawn import run_to_completion
from dev.process.supervisor import Supervisor
from dev.servers import packages
from dev.servers.postgres import Postgres
from dev.servers.rabbitmq import RabbitMQ
from dev.servers.state import State
from dev.stack.addresses import free_ports, listening_processes, server_ports, usual_ports
from dev.stack.broker import check_broker_urls, given_urls, urls_of_node
from dev.stack.configuration import Configuration, configure
from dev.stack.environment import given_databases
from dev.stack.names import PROCESSES, SERVERS, SERVICES, variable_prefix
from dev.stack.programs import command_program, service_program
from dev.stack.readiness import check_database
from dev.stack.supervised_processes import SupervisedProcesses

NO_FOLDER = Path()


class Stack(SupervisedProcesses):
    """The whole shop, with its own Postgres and RabbitMQ unless the environment names others.

    Ports are "usual" (8001, 8002, 8003, 8010, or those in AUTH_PORT etc.) or "free"; they are reserved until the stack is down. `extra_env`
    is added to the environment of every service. `process_env` maps the name of a process to variables for this process only. Without a
    folder, a temporary one is used and removed.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        ports: Literal["usual", "free"] = "free",
        extra_env: Mapping[str, str] | None = None,
        process_env: Mapping[str, Mapping[str, str]] | None = None,
        console: Console | None = None,
    ) -> None:
        super().__init__(console or Console(), process_env)
        self._fixed_folder = folder
        self._ports_kind = ports
        self._ports: list[int] = []
        self._extra_env = extra_env or {}
        self._configuration: Configuration | None = None
        self._up = False
        self.folder = NO_FOLDER

    @property
    def env(self) -> dict[str, str]:
        """Return the content of stack.env: addresses, secrets, and the PID of each process (empty if it is stopped)."""
        pids = {name: self._supervisors[name].pid if name in self._supervisors else None for name in PROCESSES}
        return {
            **self._configured().stack_env(),
            **{f"PID_{variable_prefix(name)}": str(pid or "") for name, pid in pids.items()},
        }

    def service_env(self, name: str) -> dict[str, str]:
        """Return the environment of an API or a worker, for example to start a second process of it."""
        return {**self._configured().env(name), **self._extra_env}

    def url(self, name: str) -> str:
        """Return the URL of an API or a worker."""
        return self._configured().url(name)

    def replica(self, name: str, env: Mapping[str, str] | None = None) -> tuple[Supervisor, str]:
        """Return the supervisor of another process of a service or worker, and its URL. The caller starts and stops it."""
        (port,) = reserve_free(1)
        self._ports.append(port)
        url = f"http://{LOOPBACK}:{port}"
        own_env = {**self.service_env(name), f"{variable_prefix(name)}_PORT": str(port), **(env or {})}
        program = replace(service_program(name, self._configured(), own_env, url), name=f"{name}-replica")
        return Supervisor(program, self._console), url

    async def run_command(self, service: str, command: str, *arguments: str) -> None:
        """Run a command of a service's command line, for example `migrate`. Raises NotStarted if it fails."""
        started = time.monotonic()
        own = self._configured().migration_env(service) if command == "migrate" else {}
        program = command_program(service, {**self.service_env(service), **own}, command, *arguments)
        await run_to_completion(program, self._console)
        self._console.print_status(f"{service} {command} finished in {time.monotonic() - started:.1f} s")

    async def __aenter__(self) -> Self:
        await self.up()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.down()

    async def up(self) -> None:
        """Start all processes. If one does not start, stop all others and raise NotStarted."""
        started = time.monotonic()
        try:
            await self._start_all()
        except BaseException as error:
            await self.down()
            while isinstance(error, BaseExceptionGroup):  # processes start together: report the first failure only
                error = error.exceptions[0]
            raise error from None
        self._console.print_status(f"all processes ready after {time.monotonic() - started:.1f} s")

    async def down(self) -> None:
        """Stop the services, then RabbitMQ, then Postgres, and remove a temporary folder."""
        self._up = False
        if self.folder == NO_FOLDER:
            return
        (self.folder / "stack.env").unlink(missing_ok=True)
        await self._stop_together([name for name in self._supervisors if name not in SERVERS])
        for name in SERVERS:
            if name in self._supervisors:
                await self._stop_together([name])
        release(self._ports)
        self._ports.clear()
        if self._fixed_folder is None:
            system_users.remove_relocated_folder(self.folder / "postgres")
            await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)

    async def _start_all(self) -> None:
        self.folder = await asyncio.to_thread(create_folder, self._fixed_folder)
        state = State(self.folder / "state.json")
        names = listening_processes()
        ports = usual_ports(names, self._console) if self._ports_kind == "usual" else free_ports(names)
        self._ports += ports.values()
        given_broker = given_urls()
        broker_script = None if given_broker else await packages.rabbitmq_server(self._console)
        own_ports = server_ports(state)
        self._ports += own_ports.values()
        databases, owners = given_databases()
        missing = [service for service in SERVICES if service not in databases]
        postgres = Postgres(self.folder / "postgres", own_ports["postgres"], state, missing)
        node_ports = own_ports["rabbitmq"], own_ports["distribution"], own_ports["epmd"]
        node = RabbitMQ(self.folder / "rabbitmq", node_ports, state)
        self._configuration = configure(
            self.folder,
            ports,
            own_ports["smtp"],
            {service: postgres.url(service) for service in missing} | databases,
            {service: postgres.owner_url(service) for service in missing} | owners,
            given_broker or urls_of_node(node),
            state,
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(self._start_databases(postgres if missing else None))
            group.create_task(self._start_broker(node, broker_script))
        async with asyncio.TaskGroup() as group:
            for name in ports:
                program = service_program(name, self._configuration, self.service_env(name))
                group.create_task(self._supervise(program))
        self._up = True
        self._write_stack_env()

    async def _start_databases(self, postgres: Postgres | None) -> None:
        if postgres:
            await self._supervise(await postgres.prepare(self._console))
            await postgres.create_databases()
        databases, owners = given_databases()
        for service, url in databases.items():
            await check_database(f"{service.upper()}_DATABASE_URL", url)
        for service, url in owners.items():
            await check_database(f"{service.upper()}_MIGRATION_DATABASE_URL", url)
        async with asyncio.TaskGroup() as group:
            for service in SERVICES:
                group.create_task(self.run_command(service, "migrate"))
            group.create_task(self.run_command("auth", "keys", "create"))

    async def _start_broker(self, node: RabbitMQ, server_script: Path | None) -> None:
        if server_script is None:
            await check_broker_urls(self._configured().broker)
            return
        self._console.print_status("starting rabbitmq (4 to 8 s)")
        for program in await node.prepare(server_script):
            await self._supervise(program)

    async def _supervise(self, program: Program) -> None:
        supervisor = self._supervisors[program.name] = Supervisor(program, self._console, self._write_stack_env)
        await supervisor.start(self._process_env.get(program.name))

    def _configured(self) -> Configuration:
        if self._configuration is None:
            raise NotStarted("the stack has not been started")
        return self._configuration

    def _write_stack_env(self) -> None:
        """Replace stack.env. A process that died keeps its old PID there until it is restarted."""
        if self._up:
            lines = [f"{name}={value}\n" for name, value in self.env.items()]
            write_private(self.folder / "stack.env", "".join(lines))


def create_folder(fixed: Path | None) -> Path:
    """Create the folder of a stack. Mode 711: Postgres's user can pass through it, but other users cannot list it."""
    if fixed is None:
        folder = Path(tempfile.mkdtemp(prefix="shop-"))
        folder.chmod(0o711)
        return folder
    fixed.mkdir(mode=0o711, parents=True, exist_ok=True)
    return fixed.absolute()
