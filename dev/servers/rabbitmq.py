"""A private RabbitMQ node: its own name, cookie, ports and folders, on loopback only, and its own port mapper (epmd)."""

import asyncio
import os
import shutil
from pathlib import Path
from signal import SIGTERM

import aiormq

from dev.process.files import write_private
from dev.process.ports import LOOPBACK, is_free
from dev.process.supervisor import NotReady, NotStarted, Program
from dev.servers.state import Keepsakes

# Debian's wrapper on the PATH insists on root or the rabbitmq account; this is the script behind it.
DEBIAN_SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
USER = "shop"
NODE = "shop@localhost"
# AMQP 0-9-1, sections 4.2.2 and 4.2.3: how a client begins, and the type of the frame that answers.
AMQP_HEADER = b"AMQP\x00\x00\x09\x01"
METHOD_FRAME = b"\x01"
THREE_WAYS = """RabbitMQ is needed, and there is none here. One of these will do:
  - AMQP_URL=amqp://user:password@host:5672/ make run     a broker that you have
  - rabbitmq-server on the PATH                           (macOS: brew install rabbitmq; Debian: apt-get install rabbitmq-server)
  - run this as root on Debian or Ubuntu                  then it installs the package itself"""


def server() -> Path | None:
    """The script that starts a node, if RabbitMQ is installed."""
    if DEBIAN_SERVER.exists():
        return DEBIAN_SERVER
    found = shutil.which("rabbitmq-server")
    return Path(found) if found else None


def port_mapper() -> Path:
    """Erlang's epmd. Raises NotStarted when there is none."""
    if found := shutil.which("epmd"):
        return Path(found)
    if erl := shutil.which("erl"):
        for candidate in Path(erl).resolve().parents[1].glob("erts-*/bin/epmd"):
            return candidate
    raise NotStarted("RabbitMQ is installed, but Erlang's `epmd` is not on the PATH")


class RabbitMQ:
    """One node in a folder of its own, with one random user and no guest."""

    def __init__(self, folder: Path, ports: tuple[int, int, int], keepsakes: Keepsakes) -> None:
        self._folder = folder.absolute()
        self._amqp, self._distribution, self._mapper = ports
        self._password = keepsakes.secret("rabbitmq_password")
        self._cookie = keepsakes.secret("rabbitmq_cookie")

    @property
    def url(self) -> str:
        """amqp://… of the node's one user."""
        return f"amqp://{USER}:{self._password}@{LOOPBACK}:{self._amqp}/"

    async def prepare(self, command: Path) -> tuple[Program, Program]:
        """Writes the node's files, and answers with its port mapper and the node itself, to be started in this order."""
        await asyncio.to_thread(self._write_files)
        return self._mapper_program(), self._node_program(command)

    def _write_files(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in ("data", "log", "conf.d"):
            (self._folder / name).mkdir(exist_ok=True)
        write_private(self._folder / ".erlang.cookie", self._cookie)
        write_private(self._folder / "enabled_plugins", "[].\n")
        write_private(
            self._folder / "rabbitmq.conf",
            f"""listeners.tcp.1 = {LOOPBACK}:{self._amqp}
default_user = {USER}
default_pass = {self._password}
log.console = false
log.file = rabbitmq.log
log.file.rotation.size = 10485760
log.file.rotation.count = 2
raft.wal_max_size_bytes = 67108864
""",
        )

    def _env(self) -> dict[str, str]:
        folder = self._folder
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(folder),  # where Erlang looks for the cookie
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
            # These are absent, so that the machine's own settings in /etc/rabbitmq are not read.
            "RABBITMQ_CONFIG_FILES": str(folder / "conf.d"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "rabbitmq-env.conf"),
            # With this the script becomes the Erlang VM instead of watching over it: the PID that we know is the broker's.
            "RABBITMQ_ALLOW_INPUT": "1",
            "RABBITMQ_SERVER_START_ARGS": "-noinput +B i -kernel inet_dist_use_interface {127,0,0,1}",
        }

    def _mapper_program(self) -> Program:
        return Program(
            name="epmd",
            command=[str(port_mapper()), "-port", str(self._mapper), "-address", LOOPBACK],
            env=self._env(),
            cwd=self._folder,
            ready=self._mapper_answers,
            stop_signal=SIGTERM,
            stop_seconds=5.0,
            log=self._folder / "log" / "epmd.log",
        )

    def _node_program(self, command: Path) -> Program:
        return Program(
            name="rabbitmq",
            command=[str(command)],
            env=self._env(),
            cwd=self._folder,
            ready=self._node_answers,
            ready_seconds=120.0,
            stop_seconds=30.0,
            log=self._folder / "log" / "start.log",
            hint=f"More in {self._folder / 'log'}. Data of another RabbitMQ version? Then remove {self._folder}.",
        )

    async def _mapper_answers(self) -> None:
        if is_free(self._mapper):
            raise NotReady(f"nobody listens on port {self._mapper}")

    async def _node_answers(self) -> None:
        """Raises NotReady until the node greets a client: then it has come up whole."""
        try:
            async with asyncio.timeout(5):
                reader, writer = await asyncio.open_connection(LOOPBACK, self._amqp)
                try:
                    writer.write(AMQP_HEADER)
                    greeting = await reader.read(1)
                finally:
                    writer.close()
        except (OSError, TimeoutError) as error:
            raise NotReady(str(error) or "no answer") from error
        if greeting != METHOD_FRAME:
            raise NotReady("it does not speak AMQP yet")


async def check_broker(url: str) -> None:
    """Says so early when a broker that was given does not let us in."""
    try:
        connection = await asyncio.wait_for(aiormq.connect(url), timeout=10)
    except (OSError, TimeoutError, ValueError, aiormq.AMQPError) as error:
        reason = str(error) or type(error).__name__
        raise NotStarted(f"AMQP_URL is given, but that broker does not let us in: {reason}") from error
    await connection.close()
