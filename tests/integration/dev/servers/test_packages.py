"""Several stacks start at once on a machine without RabbitMQ."""

import asyncio
import io
import os
import shutil
from pathlib import Path

import pytest

from dev.process.console import Console
from dev.servers import packages, rabbitmq


async def test_rabbitmq_when_several_stacks_need_it_is_installed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script, begun, completed = tmp_path / "rabbitmq-server", [], []

    async def install(_: Console) -> Path:
        begun.append(True)
        script.touch()
        await asyncio.to_thread(script.exists)  # the others run
        completed.append(True)
        return script

    async def start() -> Path:
        found = await packages.rabbitmq_server(console)
        assert completed == [True], "the script exists before the package is complete"
        return found

    monkeypatch.setattr(packages, "LOCK_FILE", tmp_path / "lock")
    monkeypatch.setattr(packages, "install", install)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/apt-get")
    monkeypatch.setattr(rabbitmq, "server_script", lambda: script if script.exists() else None)
    console = Console(output=io.StringIO())
    assert set(await asyncio.gather(start(), start(), start())) == {script}
    assert begun == [True]
