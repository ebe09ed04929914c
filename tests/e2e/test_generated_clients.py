"""Clients generated from docs/openapi/shop.json make a purchase, and branch on typed error codes."""

import asyncio
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.fixtures import npm, python_packages
from tests.fixtures.npm import NODE, RegistryUnreachable
from tests.fixtures.stack_client import StackClient

PROJECT = Path(__file__).parents[2]
DOCUMENT = PROJECT / "docs" / "openapi" / "shop.json"
SOURCES = Path(__file__).parent / "generated_clients"


def run(*command: object, folder: Path, **environment: str) -> str:
    """Run a program and return its output. Fails with its output if it fails."""
    result = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), **environment},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


async def purchase_environment(shop: StackClient) -> dict[str, str]:
    """Create a product of which 3 are in stock, and a customer. Return what the purchase needs to know of them."""
    product = await shop.product(stock=3)
    token = shop.bearer()["Authorization"].removeprefix("Bearer ")
    urls = {name: shop.env[name] for name in ("CATALOG_URL", "PAYMENTS_URL", "SANDBOX_URL")}
    return {"PRODUCT_ID": product["id"], "TOKEN": token, **urls}


async def test_typescript_client_makes_a_purchase(shop: StackClient, tmp_path: Path) -> None:
    try:
        packages = await asyncio.to_thread(npm.install, SOURCES, "openapi-typescript")
    except RegistryUnreachable as reason:
        pytest.skip(str(reason))
    for file in ("package.json", "tsconfig.json", "globals.d.ts", "purchase.ts"):
        shutil.copy(SOURCES / file, tmp_path)
    (tmp_path / "node_modules").symlink_to(packages / "node_modules")
    modules = packages / "node_modules"
    generator = modules / "openapi-typescript" / "bin" / "cli.js"
    await asyncio.to_thread(run, NODE, generator, DOCUMENT, "-o", tmp_path / "shop.ts", folder=tmp_path)
    await asyncio.to_thread(run, NODE, modules / "typescript" / "bin" / "tsc", folder=tmp_path)
    environment = await purchase_environment(shop)
    assert await asyncio.to_thread(run, NODE, "purchase.ts", folder=tmp_path, **environment) == "delivered\n"


async def test_python_client_makes_a_purchase(shop: StackClient, tmp_path: Path) -> None:
    try:
        # In an environment of its own: it needs an older typer than the services.
        python = await asyncio.to_thread(python_packages.install, SOURCES / "requirements.txt", "openapi-python-client")
    except python_packages.RegistryUnreachable as reason:
        pytest.skip(str(reason))
    (tmp_path / "config.yaml").write_text("package_name_override: shop_client\npost_hooks: []\n")
    options = [
        "--path",
        DOCUMENT,
        "--config",
        "config.yaml",
        "--meta",
        "none",
        "--output-path",
        tmp_path / "shop_client",
    ]
    options.append("--fail-on-warning")
    generator = python.with_name("openapi-python-client")
    await asyncio.to_thread(run, generator, "generate", *options, folder=tmp_path)
    environment = await purchase_environment(shop)
    script = SOURCES / "purchase.py"
    output = await asyncio.to_thread(run, python, script, folder=tmp_path, PYTHONPATH=str(tmp_path), **environment)
    assert output == "delivered\n"
