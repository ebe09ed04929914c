"""Import definitions.json into RabbitMQ: the users of the services with their permissions. Updates what exists.

Environment: RABBITMQ_API, RABBITMQ_PASSWORD, AUTH_AMQP_PASSWORD, CATALOG_AMQP_PASSWORD, PAYMENTS_AMQP_PASSWORD.
"""

import base64
import hashlib
import json
import os
import secrets
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ADMIN = "admin"
SERVICES = ("auth", "catalog", "payments")
DEFINITIONS = Path(__file__).with_name("definitions.json")
START_SECONDS = 60


def read_definitions(passwords: Mapping[str, str]) -> dict[str, Any]:
    """Return definitions.json with a user for each password. ADMIN is an administrator; the other users have no tags."""
    users = [
        {
            "name": name,
            "password_hash": hash_password(password),
            "hashing_algorithm": "rabbit_password_hashing_sha256",
            "tags": "administrator" if name == ADMIN else "",
        }
        for name, password in passwords.items()
    ]
    return {"users": users, **json.loads(DEFINITIONS.read_text())}


def hash_password(password: str) -> str:
    """Return a salted hash, as described in https://www.rabbitmq.com/docs/passwords#computing-password-hash."""
    salt = secrets.token_bytes(4)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def import_definitions(definitions: Mapping[str, Any]) -> None:
    """Send definitions to the management API. Retries for START_SECONDS while the broker is starting; exits on errors."""
    credentials = base64.b64encode(f"{ADMIN}:{os.environ['RABBITMQ_PASSWORD']}".encode()).decode()
    request = urllib.request.Request(  # noqa: S310 -- the URL comes from the operator
        f"{os.environ['RABBITMQ_API']}/api/definitions",
        json.dumps(definitions).encode(),
        {"Authorization": f"Basic {credentials}", "Content-Type": "application/json"},
        method="POST",
    )
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            urllib.request.urlopen(request, timeout=5).close()  # noqa: S310
            return
        except urllib.error.HTTPError as error:
            sys.exit(
                f"the broker answered with {error.code} {error.reason}: {error.read(500).decode(errors='replace')}"
            )
        except OSError as error:
            if time.monotonic() > deadline:
                sys.exit(f"the broker did not answer within {START_SECONDS} s: {error}")
            time.sleep(1)


def main() -> None:
    """Create or update the users of the services."""
    import_definitions(read_definitions({name: os.environ[f"{name.upper()}_AMQP_PASSWORD"] for name in SERVICES}))
    sys.stdout.write(f"{', '.join(SERVICES)}: users and permissions set\n")


if __name__ == "__main__":
    main()
