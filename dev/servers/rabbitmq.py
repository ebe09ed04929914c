"""A private RabbitMQ node with its own name, cookie, ports, folders and port mapper (epmd), on loopback only."""

import asyncio
import json
import os
import shutil
from pathlib import Path
from signal import SIGTERM
from typing import Any

from deploy.rabbitmq.users import ADMIN, SERVICES, read_definitions
from dev.process.files import write_private
from dev.process.ports import LOOPBACK, is_free
from dev.process.program import NotReady, NotStarted, Program
from dev.servers.state import State

# Debian's wrapper on the PATH requires root or the user rabbitmq; this is the script that the wrapper calls.
DEBIAN_SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
NODE = "shop@localhost"
# AMQP 0-9-1, sections 4.2.2 and 4.2.3: the client's first bytes, and the type of the frame that the server answers with.
AMQP_HEADER = b"AMQP\x00\x00\x09\x01"
METHOD_FRAME = b"\x01"
INSTALL_HELP = """RabbitMQ is not installed. Choose one of these:
  - AMQP_URL=amqp://user:password@host:5672/ make run     use an existing broker
  - install rabbitmq-server                               (macOS: brew install rabbitmq; Debian: apt-get install rabbitmq-server)
  - run this command as root on Debian or Ubuntu          it installs the package"""


def server_script() -> Path | None:
    """Return the script that starts a node, or None when RabbitMQ is not installed."""
    if DEBIAN_SERVER.exists():
        return DEBIAN_SERVER
    found = shutil.which("rabbitmq-server")
    return Path(found) if found else None


def port_mapper() -> Path:
    """Return the path of Erlang's epmd. Raises NotStarted when it is missing."""
    if found := shutil.which("epmd"):
        return Path(found)
    if erl := shutil.which("erl"):
        for candidate in Path(erl).resolve().parents[1].glob("erts-*/bin/epmd"):
            return candidate
    raise NotStarted("RabbitMQ is installed, but Erlang's `epmd` is not on the PATH")


class RabbitMQ:
    """A node in its own folder. Its users are those of deploy/rabbitmq/ and an administrator, with random passwords; no `guest`."""

    def __init__(self, folder: Path, ports: tuple[int, int, int], state: State) -> None:
        self._folder = folder.absolute()
        self._amqp, self._distribution, self._mapper = ports
        self._passwords = {user: state.secret(f"rabbitmq_password_{user}") for user in (ADMIN, *SERVICES)}
        self._cookie = state.secret("rabbitmq_cookie")

    @property
    def url(self) -> str:
        """Return the AMQP URL of the administrator."""
        return self.service_url(ADMIN)

    def service_url(self, user: str) -> str:
        """Return the AMQP URL of a service's user."""
        return f"amqp://{user}:{self._passwords[user]}@{LOOPBACK}:{self._amqp}/"

    async def prepare(self, command: Path) -> tuple[Program, Program]:
        """Write the node's files; return the programs of the port mapper and of the node, in start order."""
        await asyncio.to_thread(self._write_files)
        return self._mapper_program(), self._node_program(command)

    def _write_files(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in ("data", "log", "conf.d"):
            (self._folder / name).mkdir(exist_ok=True)
        write_private(self._folder / ".erlang.cookie", self._cookie)
        write_private(self._folder / "enabled_plugins", "[].\n")
        write_private(self._folder / "definitions.json", json.dumps(self._definitions()))
        write_private(
            self._folder / "rabbitmq.conf",
            f"""listeners.tcp.1 = {LOOPBACK}:{self._amqp}
load_definitions = {self._folder / "definitions.json"}
log.console = false
log.file = rabbitmq.log
log.file.rotation.size = 10485760
log.file.rotation.count = 2
raft.wal_max_size_bytes = 67108864
""",
        )

    def _definitions(self) -> dict[str, Any]:
        """Return what the node imports whenever it starts: the same users and permissions as in compose, and the administrator."""
        found = read_definitions(self._passwords)
        everything = {"user": ADMIN, "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"}
        return {**found, "vhosts": [{"name": "/"}], "permissions": [everything, *found["permissions"]]}

    def _env(self) -> dict[str, str]:
        folder = self._folder
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(folder),  # Erlang reads the cookie from here
            "LC_ALL": "C.UTF-8",
            "ERL_EPMD_PORT": str(self._mapper),
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "RABBITMQ_NODENAME": NODE,
            "RABBITMQ_DIST_PORT": str(self._distribution),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            # Empty or missing files, so that RabbitMQ does not read the machine's settings in /etc/rabbitmq.
            "RABBITMQ_CONFIG_FILES": str(folder / "conf.d"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "rabbitmq-env.conf"),
            # With this setting, the script execs the Erlang VM instead of supervising it: the PID of the script becomes that of the broker.
            "RABBITMQ_ALLOW_INPUT": "1",
            "RABBITMQ_SERVER_START_ARGS": "-noinput +B i -kernel inet_dist_use_interface {127,0,0,1}",
        }

    def _mapper_program(self) -> Program:
        return Program(
            name="epmd",
            command=[str(port_mapper()), "-port", str(self._mapper), "-address", LOOPBACK],
            env=self._env(),
            cwd=self._folder,
            check_ready=self._check_mapper,
            stop_signal=SIGTERM,
            stop_seconds=5.0,
            log_file=self._folder / "log" / "epmd.log",
        )

    def _node_program(self, command: Path) -> Program:
        return Program(
            name="rabbitmq",
            command=[str(command)],
            env=self._env(),
            cwd=self._folder,
            check_ready=self._check_node,
            ready_seconds=120.0,
            stop_seconds=30.0,
            log_file=self._folder / "log" / "start.log",
            hint=f"See the logs in {self._folder / 'log'}. If another version of RabbitMQ wrote the data, remove {self._folder}.",
        )

    async def _check_mapper(self) -> None:
        if is_free(self._mapper):
            raise NotReady(f"port {self._mapper} is closed")

    async def _check_node(self) -> None:
        """Raise NotReady unless the node answers an AMQP client, which it does only after it has started completely."""
        try:
            async with asyncio.timeout(5):
                reader, writer = await asyncio.open_connection(LOOPBACK, self._amqp)
                try:
                    writer.write(AMQP_HEADER)
                    answer = await reader.read(1)
                finally:
                    writer.close()
        except (OSError, TimeoutError) as error:
            raise NotReady(str(error) or "no answer") from error
        if answer != METHOD_FRAME:
            raise NotReady("the node does not answer AMQP clients yet")
