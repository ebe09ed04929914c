"""docker-compose.yml: hardened containers, published ports, no default secrets, and variables that match the services'
settings and .env.example."""

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic_settings import BaseSettings

from kit.messaging.settings import BrokerSettings
from sandbox.settings import Settings as SandboxSettings
from services.auth.settings import AuthSettings
from services.catalog.settings import CatalogSettings
from services.payments.settings import PaymentsSettings

PROJECT = Path(__file__).parents[3]
TEXT = (PROJECT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
CONTAINERS: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (PROJECT / "Dockerfile").read_text()
TASKS = {name for name, container in CONTAINERS.items() if container["restart"] == "no"}
OURS: dict[str, type[BaseSettings]] = {
    "auth": AuthSettings,
    "catalog": CatalogSettings,
    "payments": PaymentsSettings,
    "sandbox": SandboxSettings,
}
VARIABLE = re.compile(r"\$\{([A-Z_]+)(:[?-][^}]*)?\}")
SECRET = re.compile(r"_PASSWORD$|SECRET_KEY$")
SET_BY_IMAGE = {"HTTP_HOST", "SANDBOX_HOST", "SANDBOX_DATABASE"}
READ_BY_IMAGE = {"HEALTH_PORT"}
MIGRATION_URL = "_MIGRATION_DATABASE_URL"
"""Only the tasks that migrate receive the URL of the role that owns the tables."""
FOR_THE_SANDBOX = {"GATEWAY_DOCS": ("on", "off"), "AUTH_SMTP_URL": ("smtp+plain://mail-catcher:1025", "")}
"""The value in .env.example, which `make env` copies for the sandbox, and the default of docker-compose.yml."""
OPTIONAL_SECRETS = {"AUTH_SMTP_PASSWORD"}
"""Secrets that others give, if they are needed: `make env` generates none."""


def names(settings: type[BaseSettings]) -> set[str]:
    """Return the environment variables that a settings class reads, without the `_FILE` forms."""
    prefix = settings.model_config.get("env_prefix", "")
    found = {str(field.validation_alias or f"{prefix}{name}").upper() for name, field in settings.model_fields.items()}
    return {name for name in found if not name.endswith("_FILE")}


def example() -> tuple[list[str], list[str]]:
    """Return the lines of .env.example that compose reads, and those for services without compose."""
    lines = (PROJECT / ".env.example").read_text().splitlines()
    rest = next(number for number, line in enumerate(lines) if line.startswith("# --- Without compose"))
    return lines[:rest], lines[rest:]


def variables(lines: list[str], pattern: str) -> dict[str, str]:
    return {match[1]: match[2] for line in lines if (match := re.fullmatch(pattern, line))}


@pytest.mark.parametrize("name", CONTAINERS)
def test_container_when_it_runs_is_hardened(name: str) -> None:
    container = CONTAINERS[name]
    assert container["init"] is True
    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert container["mem_limit"]
    assert container["pids_limit"]
    assert container["stop_grace_period"] == "30s"
    assert container["logging"]["options"].keys() == {"max-size", "max-file"}
    assert container["restart"] == ("no" if name in TASKS else "unless-stopped")
    assert container.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "gateway" else [])
    assert not container.get("privileged")


@pytest.mark.parametrize("name", CONTAINERS)
def test_container_when_it_runs_is_not_root(name: str) -> None:
    container = CONTAINERS[name]
    if "user" not in container:
        target = container["build"].get("target", "service")
        stage = re.search(rf"^FROM \S+ AS {target}\n(.*?)(?=^FROM|\Z)", DOCKERFILE, re.MULTILINE | re.DOTALL)
        assert stage
        assert "\nUSER 10001:10001\n" in stage[1]
    else:
        assert container["user"] not in ("root", "0")


@pytest.mark.parametrize("name", CONTAINERS)
def test_container_when_it_is_no_task_has_a_health_check(name: str) -> None:
    container = CONTAINERS[name]
    if name in TASKS:
        assert container["healthcheck"] == {"disable": True}
    else:
        assert "build" in container or container["healthcheck"]["test"]
    assert "\nHEALTHCHECK " in DOCKERFILE


def test_ports_when_published_are_those_of_the_gateway_and_on_the_loopback_interface_those_of_the_sandbox() -> None:
    published = {name: container["ports"] for name, container in CONTAINERS.items() if "ports" in container}
    assert published.pop("gateway") == ["${GATEWAY_PORT:-8080}:8080"]
    assert published == {
        "sandbox": ["127.0.0.1:${SANDBOX_PORT:-8010}:8010"],
        "mail-catcher": ["127.0.0.1:${MAIL_CATCHER_PORT:-8025}:8025"],
    }
    assert all(CONTAINERS[name]["profiles"] == ["sandbox"] for name in published)


def test_container_when_it_needs_no_internet_is_on_internal_networks_only() -> None:
    inside = {name for name, network in COMPOSE["networks"].items() if network.get("internal")}
    outside = {name for name, container in CONTAINERS.items() if not set(container.get("networks", [])) <= inside}
    assert outside == {"gateway", "payments", "payments-worker", "sandbox", "auth-worker", "mail-catcher"}


@pytest.mark.parametrize("service", ["auth", "catalog", "payments"])
def test_service_when_it_starts_has_a_migrated_database(service: str) -> None:
    for name in (service, f"{service}-worker"):
        assert CONTAINERS[name]["depends_on"][f"{service}-migrate"] == {"condition": "service_completed_successfully"}
    assert CONTAINERS[f"{service}-migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}


def test_files_that_are_mounted_exist() -> None:
    mounts = [mount for container in CONTAINERS.values() for mount in container.get("volumes", [])]
    sources = [mount.split(":")[0] for mount in mounts if isinstance(mount, str) and mount.startswith("./")]
    assert {"./deploy/gateway/docs.html", "./docs/openapi/shop.json"} <= set(sources)
    assert [source for source in sources if not (PROJECT / source).exists()] == []


def test_secret_when_it_is_not_set_has_no_default() -> None:
    used = VARIABLE.findall(TEXT)
    for name, otherwise in used:
        if SECRET.search(name):
            assert otherwise == ":-" if name in OPTIONAL_SECRETS else otherwise.startswith(":?"), name
    given = variables(example()[0], "([A-Z_]+)=(.*)")
    assert {name for name in given if SECRET.search(name)} >= {name for name, _ in used if SECRET.search(name)}
    assert not {name: value for name, value in given.items() if SECRET.search(name) and value}


@pytest.mark.parametrize("name", [name for name, container in CONTAINERS.items() if "build" in container])
def test_container_when_it_is_ours_gets_exactly_the_variables_of_its_settings(name: str) -> None:
    container = CONTAINERS[name]
    service = container["build"]["args"]["SERVICE"]
    passed, read = container["environment"].keys() - READ_BY_IMAGE, names(OURS[service])
    if name in ("auth-worker", "catalog-worker", "payments-worker"):  # the only ones that use the broker
        read |= names(BrokerSettings)
    assert passed <= read
    missing = {variable for variable in read - passed - SET_BY_IMAGE if not variable.endswith("_PORT")}
    assert missing == (
        set() if name == f"{service}-migrate" or service == "sandbox" else {f"{service.upper()}{MIGRATION_URL}"}
    )


def test_example_when_settings_change_names_every_variable() -> None:
    first, rest = example()
    for_compose = variables(first, "([A-Z_]+)=(.*)")
    besides = variables(rest, "#([A-Z_]+)=(.*)")
    assert for_compose.keys() == {name for name, _ in VARIABLE.findall(TEXT)}
    read = names(BrokerSettings).union(*(names(settings) for settings in OURS.values()))
    assert read <= for_compose.keys() | besides.keys()
    assert besides.keys() == read - for_compose.keys()


def test_example_when_it_names_a_variable_explains_it_in_the_line_above() -> None:
    first, rest = example()
    lines = first + rest
    for above, line in pairwise(lines):
        if re.fullmatch("#?[A-Z_]+=.*", line):
            assert re.fullmatch(r"# [A-Z].*[.;:…].*", above), line


def test_default_when_it_is_in_several_places_is_the_same() -> None:
    defaults = {name: otherwise[2:] for name, otherwise in VARIABLE.findall(TEXT) if otherwise.startswith(":-")}
    given = variables(example()[0], "([A-Z_]+)=(.*)")
    for name, values in FOR_THE_SANDBOX.items():
        assert (given[name], defaults.pop(name)) == values
    assert {name: given[name] for name in defaults} == defaults
    for settings in OURS.values():
        for name, field in settings.model_fields.items():
            if (default := defaults.get(name.upper())) and field.default is not None and name != "web_concurrency":
                shown = str(field.default).lower() if isinstance(field.default, bool) else str(field.default)
                assert shown == default, name
