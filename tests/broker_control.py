"""What an operator of RabbitMQ can do to a private node: rabbitmqctl, with the node's own environment."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from dev.process.ports import free

DEBIAN_CONTROL = Path(
    "/usr/lib/rabbitmq/bin/rabbitmqctl"
)  # the wrapper on the PATH insists on root or the rabbitmq account


class BrokerControl:
    """`env`: the environment that the node was started with."""

    def __init__(self, env: Mapping[str, str]) -> None:
        (port,) = map(str, free(1))
        self._env = {
            **env,
            "RABBITMQ_CTL_DIST_PORT_MIN": port,
            "RABBITMQ_CTL_DIST_PORT_MAX": port,
            "RABBITMQ_CTL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }
        self._command = str(DEBIAN_CONTROL) if DEBIAN_CONTROL.exists() else shutil.which("rabbitmqctl")

    async def __call__(self, *arguments: str) -> str:
        assert self._command, "rabbitmqctl comes with RabbitMQ"
        process = await asyncio.create_subprocess_exec(
            self._command,
            "--quiet",
            *arguments,
            env=self._env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(60):
            said, _ = await process.communicate()
        assert process.returncode == 0, said.decode()
        return said.decode()

    @asynccontextmanager
    async def alarm(self, of: str) -> AsyncIterator[None]:
        """The memory's or the disk's alarm: whoever publishes is blocked."""
        on, off = {
            "memory": (
                "vm_memory_monitor:set_vm_memory_high_watermark(0.0000001)",
                "vm_memory_monitor:set_vm_memory_high_watermark(0.4)",
            ),
            "disk": (
                "rabbit_disk_monitor:set_disk_free_limit(1000000000000000)",
                "rabbit_disk_monitor:set_disk_free_limit(50000000)",
            ),
        }[of]
        # Whoever asks the monitor waits until the limit is in force.
        await self("eval", f"{on}.")
        try:
            yield
        finally:
            await self("eval", f"{off}.")
