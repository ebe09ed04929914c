"""The help of every command line works without configuration, and imports nothing of what the commands do."""

import json
import os
import subprocess
import sys

import pytest

from sandbox.settings import Settings as SandboxSettings
from services.auth.keys.signing_keys import KeyType
from services.payments.statuses import PaymentStatus

COMMANDS = {
    "auth": "services.auth.cli.commands",
    "catalog": "services.catalog.cli",
    "payments": "services.payments.cli.commands",
}
SERVICES = tuple(COMMANDS)
HEAVY = {
    "sqlalchemy",
    "httpx",
    "uvicorn",
    "rich",
    "structlog",
    "asyncpg",
    "aio_pika",
    "services.payments.db",
}
PRINT_ALL_HELP = """
import importlib, json, sys
from typer.main import get_command

def walk(command, path):
    yield command, path
    for name, child in getattr(command, "commands", {}).items():
        yield from walk(child, [*path, name])

cli = get_command(importlib.import_module(sys.argv[1]).cli)
paths = []
for command, path in walk(cli, []):
    cli.main([*path, "--help"], standalone_mode=False)
    paths.append(" ".join(path))
print(json.dumps({"paths": paths, "modules": sorted(sys.modules)}))
"""
MAX_CPU_SECONDS = 0.5


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python with these arguments and without any environment variable."""
    return subprocess.run([sys.executable, *arguments], env={}, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("service", SERVICES)
def test_help_of_every_command_needs_no_configuration_and_imports_no_implementation(service: str) -> None:
    ended = run("-c", PRINT_ALL_HELP, COMMANDS[service])
    assert ended.returncode == 0, ended.stderr
    *shown, last = ended.stdout.splitlines()
    found = json.loads(last)
    assert {"serve", "worker", "migrate", "check-migrations"} <= set(found["paths"])
    assert sorted(HEAVY & set(found["modules"])) == []
    assert sum(line.startswith("Usage:") for line in shown) == len(found["paths"])


@pytest.mark.parametrize("module", [*(f"services.{service}" for service in SERVICES), "dev", "sandbox"])
def test_help_takes_less_than_half_a_second_of_cpu_time(module: str) -> None:
    before = os.times()
    ended = run("-m", module, "--help")
    after = os.times()
    assert ended.returncode == 0, ended.stderr
    assert "usage" in ended.stdout.lower()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    assert used < MAX_CPU_SECONDS


def test_a_command_without_configuration_names_the_missing_variables() -> None:
    ended = run("-m", "services.payments", "status")
    assert ended.returncode == 1
    assert "PAYMENTS_DATABASE_URL" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_sandbox_does_not_start_for_help_or_unknown_arguments_and_lists_all_its_settings() -> None:
    shown = run("-m", "sandbox", "--help").stdout
    for name, field in SandboxSettings.model_fields.items():
        assert str(field.validation_alias or f"SANDBOX_{name}").upper() in shown
    refused = run("-m", "sandbox", "--port", "1")
    assert (refused.returncode, "usage" in refused.stderr) == (2, True)


def test_dev_prints_the_help_of_one_command() -> None:
    shown = run("-m", "dev", "psql", "--help").stdout
    assert "psql" in shown
    assert "chaos" not in shown


def test_the_values_of_options_are_those_of_the_enums() -> None:
    assert {str(kind) for kind in KeyType} == {"rsa", "p256", "ed25519"}
    shown = run("-m", "services.payments", "payments", "list", "--help").stdout
    assert ", ".join(PaymentStatus) in " ".join(shown.split())
