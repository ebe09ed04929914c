"""payments' API in a process of its own, as it is deployed."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import psutil

from dev.process import ports


@dataclass(frozen=True)
class Api:
    port: int
    pid: int
    client: httpx.AsyncClient

    def memory(self) -> int:
        """Resident bytes."""
        size: int = psutil.Process(self.pid).memory_info().rss
        return size


@asynccontextmanager
async def serving(**environment: str) -> AsyncIterator[Api]:
    """`python -m services.payments serve`, ready."""
    (port,) = ports.free(1)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.payments",
        "serve",
        env={**os.environ, "PAYMENTS_PORT": str(port), "LOG_LEVEL": "ERROR", **environment},
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10, trust_env=False) as client:
            async with asyncio.timeout(20):
                while True:
                    assert process.returncode is None, "payments ended at once"
                    try:
                        if (await client.get("/readyz")).status_code == 200:
                            break
                    except httpx.TransportError:
                        await asyncio.sleep(0.02)
            yield Api(port, process.pid, client)
    finally:
        if process.returncode is None:
            process.terminate()
        async with asyncio.timeout(20):
            await process.wait()
