"""The virtual environment of a peer: its packages would conflict with ours."""

import asyncio
import os
import shutil
import sys
from pathlib import Path

from bench.processes import run_once
from dev.process.program import NotStarted

INSTALL_SECONDS = 180.0


class NotInstalled(Exception):
    """The peer cannot be installed; the message is the reason in one line."""


class PeerEnvironment:
    """The packages of a peer; the first one names the folder, which is kept for later runs."""

    def __init__(self, *pins: str) -> None:
        self.pins = pins
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        name = pins[0].partition("[")[0].partition("==")[0]
        version = pins[0].rpartition("==")[2]
        self.folder = cache / "paystack-shop" / f"{name}-{version}-py{sys.version_info.major}{sys.version_info.minor}"

    def is_installed(self) -> bool:
        """Return True if an earlier run has installed the peer."""
        return (self.folder / "complete").exists()

    async def install(self) -> Path:
        """Install the peer if necessary, and return its Python. Raises NotInstalled."""
        python = self.folder / "bin" / "python"
        if self.is_installed():
            return python
        try:
            await run_once("venv", [sys.executable, "-m", "venv", "--clear", str(self.folder)], {}, INSTALL_SECONDS)
            arguments = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", *self.pins]
            await run_once("pip", [str(python), *arguments], {}, INSTALL_SECONDS)
        except (NotStarted, OSError) as error:
            await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)
            raise NotInstalled(str(error).strip().splitlines()[-1].strip()[:200]) from error
        await asyncio.to_thread((self.folder / "complete").touch)
        return python
