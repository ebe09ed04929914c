import asyncio
import os
import sys
from pathlib import Path


async def test_serve_when_there_is_no_signing_key_then_exits_with_the_reason_after_few_imports(tmp_path: Path) -> None:
    environment = {**os.environ, "AUTH_KEYS_DIR": str(tmp_path / "none"), "PYTHONPROFILEIMPORTTIME": "1"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.auth", "serve", env=environment, stderr=asyncio.subprocess.PIPE
    )
    _, stderr = await process.communicate()
    assert process.returncode == 1
    lines = stderr.decode().splitlines()
    imported = {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}
    said = "\n".join(line for line in lines if not line.startswith("import time:"))
    assert said.startswith("cannot start: ")
    assert "python -m services.auth keys create" in said
    assert "Traceback" not in said
    assert "structlog" in imported
    assert imported.isdisjoint({"alembic", "rich.console", "typer"})
