import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from tests.sandbox.merchant import KEY, Merchant


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Process:
    """`python -m sandbox`, ready."""

    def __init__(self, process: asyncio.subprocess.Process, merchant: Merchant) -> None:
        self.merchant = merchant
        self._process = process

    async def end(self, with_signal: signal.Signals, seconds: float = 10) -> int:
        """Its exit code."""
        if self._process.returncode is None:
            self._process.send_signal(with_signal)
        async with asyncio.timeout(seconds):
            return await self._process.wait()


@asynccontextmanager
async def running(database: Path, **environment: str) -> AsyncIterator[Process]:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "sandbox",
        cwd=Path(__file__).parents[2],
        env={
            "PATH": os.environ["PATH"],
            "SANDBOX_PORT": str(port),
            "SANDBOX_DATABASE": str(database),
            "SANDBOX_TIME_SCALE": "0.05",
            "PAYSTACK_SECRET_KEY": KEY,
            "LOG_LEVEL": "ERROR",
        }
        | environment,
    )
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=5, trust_env=False) as http:
        running = Process(process, Merchant(http))
        try:
            async with asyncio.timeout(20):
                while True:
                    assert process.returncode is None, "the sandbox ended at once"
                    try:
                        if (await http.get("/readyz")).status_code == 200:
                            break
                    except httpx.TransportError:
                        await asyncio.sleep(0.02)
            yield running
        finally:
            await running.end(signal.SIGKILL)
