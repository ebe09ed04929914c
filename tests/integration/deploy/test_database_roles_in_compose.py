"""The forbidden acts in the containers of a running `docker compose up`. Runs only with COMPOSE_STACK=1, in the folder of that stack."""

import os
import subprocess
from pathlib import Path

import pytest

from dev.stack.environment import read_env_file
from tests.fixtures.forbidden_acts import forbidden_acts

PROJECT = Path(__file__).parents[3]
pytestmark = pytest.mark.skipif(
    not os.environ.get("COMPOSE_STACK"), reason="COMPOSE_STACK=1 runs it on a running compose stack"
)
DOCKER_EXEC = ["docker", "compose", "exec", "-T"]
DENIED = "ERROR:  42501:"


def psql(role: str, password: str, database: str, statement: str) -> str:
    """Run a statement as this role in Postgres's container, undo it, and return the errors with their SQLSTATEs."""
    statements = [statement] if statement.startswith("DROP DATABASE") else ["BEGIN", statement, "ROLLBACK"]
    client = ["psql", "-X", "-q", "-v", "VERBOSITY=verbose", "-h", "127.0.0.1", "-U", role, "-d", database]
    finished = subprocess.run(
        [
            *DOCKER_EXEC,
            "-e",
            "PGPASSWORD",
            "postgres",
            *client,
            *(part for each in statements for part in ("-c", each)),
        ],
        cwd=PROJECT,
        env={**os.environ, "PGPASSWORD": password},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return finished.stderr


@pytest.mark.parametrize("service", ["auth", "catalog", "payments"])
def test_forbidden_acts_when_tried_in_the_container_are_refused(service: str) -> None:
    password = read_env_file(PROJECT / ".env")[f"{service.upper()}_DATABASE_PASSWORD"]
    for statement in forbidden_acts(service):
        assert psql(service, password, service, statement).startswith(DENIED), statement
    for other in {"auth", "catalog", "payments"} - {service}:
        assert "permission denied for database" in psql(service, password, other, "SELECT 1")


@pytest.mark.parametrize("service", ["auth", "catalog", "payments"])
def test_container_when_it_serves_does_not_have_the_owners_password(service: str) -> None:
    owner = read_env_file(PROJECT / ".env")[f"{service.upper()}_MIGRATION_DATABASE_PASSWORD"]
    for container in (service, f"{service}-worker"):
        found = subprocess.run(
            [*DOCKER_EXEC, container, "env"],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert owner not in found.stdout
