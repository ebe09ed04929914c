"""Run schemathesis on one service as one role."""

import asyncio
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CONFIG = Path(__file__).with_name("schemathesis.toml")
HOOKS = Path(__file__).with_name("hooks.py")
PROGRAM = Path(sys.executable).with_name("schemathesis")
SECONDS = 1800.0
"""A run that takes longer is stopped and has failed."""
GENERATED = re.compile(r"\d+ generated.*")


@dataclass(frozen=True)
class Result:
    """The outcome of one run. `output`: what schemathesis printed."""

    service: str
    role: str
    passed: bool
    output: str

    @property
    def summary(self) -> str:
        """Return the number of generated requests, as schemathesis prints it."""
        found = GENERATED.search(self.output)
        return found[0] if found else ""


async def run(service: str, url: str, role: str, token: str, *options: str) -> Result:
    """Send generated requests to a service. All checks and all phases are enabled, because nothing in the configuration disables one."""
    command = [str(PROGRAM), "--config-file", str(CONFIG), "run", f"{url}/openapi.json", *options]
    environment = {"PATH": os.environ.get("PATH", os.defpath), "NO_COLOR": "1", "COLUMNS": "140", "PYTHONUTF8": "1"}
    environment["SCHEMATHESIS_HOOKS"] = str(HOOKS)
    if token:
        command += ["--header", f"Authorization: Bearer {token}"]
    try:
        code, output = await execute(command, environment)
    except TimeoutError:
        return Result(service, role, False, f"schemathesis did not finish within {SECONDS:g} s")
    return Result(service, role, code == 0, output)


async def execute(command: Sequence[str], environment: dict[str, str]) -> tuple[int, str]:
    """Run a command and return its exit code and its output. Raises TimeoutError after SECONDS."""
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        async with asyncio.timeout(SECONDS):
            output, _ = await process.communicate()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    return process.returncode or 0, output.decode(errors="replace")
