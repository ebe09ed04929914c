from pathlib import Path

import pytest

from dev.fuzz import run as fuzz


async def test_run_when_schemathesis_does_not_end_then_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "schemathesis"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setattr(fuzz, "PROGRAM", program)
    monkeypatch.setattr(fuzz, "SECONDS", 0.1)

    result = await fuzz.run("catalog", "http://127.0.0.1:9", "anonymous", "")

    assert not result.passed
    assert result.output == "schemathesis did not finish within 0.1 s"
