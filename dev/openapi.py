"""`make openapi`: write docs/openapi/<service>.json from the services' apps, and shop.json, the document of the gateway, from these.

Needs no running server and no environment variables.
"""

import json
import subprocess
import sys

from dev import PROJECT
from dev.dummy_environment import dummy_environment
from dev.merged_openapi import Json, merge
from dev.stack.names import SERVICES

FOLDER = PROJECT / "docs" / "openapi"
PROGRAM = """
import json, sys
from services.{service}.app import app
sys.stdout.write(json.dumps(app.openapi()))
"""


def document(service: str) -> Json:
    """Return the OpenAPI document of a service.

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
    found: Json = json.loads(result.stdout)
    return found


def documents() -> dict[str, str]:
    """Return the text of each file in docs/openapi/ by name: sorted keys, indented by two spaces, with a newline at the end."""
    found = {service: document(service) for service in SERVICES}
    found["shop"] = merge(found)
    return {
        f"{name}.json": json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        for name, content in found.items()
    }


def main() -> None:
    """Write the document of each service and of the gateway."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in documents().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        print(f"wrote docs/openapi/{name}")


if __name__ == "__main__":
    main()
