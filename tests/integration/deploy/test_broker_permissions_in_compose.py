"""Forbidden and needed acts at the broker of a running `docker compose up`. Runs only with COMPOSE_STACK=1, in the folder of that stack."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.fixtures.forbidden_broker_acts import ALLOWED, REFUSED, forbidden_acts, needed_acts

PROJECT = Path(__file__).parents[3]
PROGRAM = PROJECT / "tests" / "fixtures" / "forbidden_broker_acts.py"
pytestmark = pytest.mark.skipif(
    not os.environ.get("COMPOSE_STACK"), reason="COMPOSE_STACK=1 runs it on a running compose stack"
)


def execute(container: str, *command: str, stdin: str = "") -> str:
    """Run a command in a container and return its output."""
    finished = subprocess.run(
        ["docker", "compose", "exec", "-T", container, *command],
        cwd=PROJECT,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


@pytest.mark.parametrize("user", ["auth", "catalog", "payments"])
def test_acts_when_tried_in_the_container_of_a_worker_are_refused_if_forbidden_and_allowed_if_needed(user: str) -> None:
    found = json.loads(execute(f"{user}-worker", "python", "-", stdin=PROGRAM.read_text()))
    assert found["forbidden"] == dict.fromkeys(forbidden_acts(user), REFUSED)
    assert found["needed"] == dict.fromkeys(needed_acts(user), ALLOWED)


@pytest.mark.parametrize("container", ["auth", "catalog", "payments"])
def test_container_when_it_does_not_use_the_broker_has_no_url_of_it(container: str) -> None:
    assert "amqp" not in execute(container, "env").lower()


@pytest.mark.parametrize("service", ["catalog", "payments"])
def test_dead_letters_when_listed_in_the_container_of_a_worker_are_read_with_its_permissions(service: str) -> None:
    listed = execute(f"{service}-worker", "python", "-m", f"services.{service}", "dead-letters", "list", "--json")
    assert json.loads(listed) == []
