import asyncio
import os
import sys
from pathlib import Path


async def test_serve_when_there_is_no_signing_key_then_exits_with_the_reason(tmp_path: Path) -> None:
    environment = {**os.environ, "AUTH_KEYS_DIR": str(tmp_path / "none")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.auth", "serve", env=environment, stderr=asyncio.subprocess.PIPE
    )
    _, stderr = await process.communicate()
    assert process.returncode == 1
    assert stderr.decode().startswith("cannot start: ")
    assert "python -m services.auth keys" in stderr.decode()
    assert "Traceback" not in stderr.decode()
