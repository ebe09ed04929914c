"""`make openapi`: write docs/openapi/<service>.json from the services' apps. Needs no running server and no environment variables."""

import subprocess
import sys

from dev import PROJECT
from dev.dummy_environment import dummy_environment
from dev.stack.names import SERVICES

FOLDER = PROJECT / "docs" / "openapi"
PROGRAM = """
import json, sys
from services.{service}.app import app
sys.stdout.write(json.dumps(app.openapi(), indent=2, sort_keys=True, ensure_ascii=False) + "\\n")
"""


def document(service: str) -> str:
    """Return the OpenAPI document of a service: sorted keys, indented by two spaces, with a newline at the end.

    The app is imported in a separate process, because a service reads its settings from the environment at import.
    """
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(service=service)],
        cwd=PROJECT,
        env={**dummy_environment(), "PYTHONUTF8": "1"},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    if result.returncode:
        raise RuntimeError(f"services.{service}.app cannot be imported:\n{result.stderr}")
    return result.stdout


def main() -> None:
    """Write the document of each service."""
    FOLDER.mkdir(exist_ok=True)
    for service in SERVICES:
        (FOLDER / f"{service}.json").write_text(document(service), encoding="utf-8")
        print(f"wrote docs/openapi/{service}.json")


if __name__ == "__main__":
    main()
