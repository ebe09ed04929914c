"""Gives each service that talks to the broker a user of its own: made if missing, password and rights set again each time.

Environment: RABBITMQ_API, RABBITMQ_PASSWORD, CATALOG_AMQP_PASSWORD, PAYMENTS_AMQP_PASSWORD.
"""

import base64
import json
import os
import sys
import time
import urllib.error
import urllib.request

ADMIN = "admin"
SERVICES = ("catalog", "payments")
NAMES = r"shop\.events|(catalog\.payments|payments\.orders)(\.dead-letters|\.marker)?"
WAIT_SECONDS = 60

# Whoever publishes declares its reader's queue too, so that no event meets an exchange without a queue: both need the same names,
# and have no right to any other. A queue that hands its dead letters on needs `amq.default` of whoever declares it
# (https://www.rabbitmq.com/docs/access-control).
RIGHTS = {"configure": f"^({NAMES})$", "write": rf"^({NAMES}|amq\.default)$", "read": f"^({NAMES})$"}


def put(path: str, body: dict[str, str]) -> None:
    """PUT to the management API; waits for a broker that is still starting."""
    credentials = base64.b64encode(f"{ADMIN}:{os.environ['RABBITMQ_PASSWORD']}".encode()).decode()
    request = urllib.request.Request(  # noqa: S310 -- the address is the operator's own
        f"{os.environ['RABBITMQ_API']}{path}",
        json.dumps(body).encode(),
        {"Authorization": f"Basic {credentials}", "Content-Type": "application/json"},
        method="PUT",
    )
    give_up = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            urllib.request.urlopen(request, timeout=5).close()  # noqa: S310
            return
        except urllib.error.HTTPError as error:
            sys.exit(f"{path}: the broker answered {error.code} {error.reason}")
        except OSError as error:
            if time.monotonic() > give_up:
                sys.exit(f"{path}: no broker within {WAIT_SECONDS} s: {error}")
            time.sleep(1)


def main() -> None:
    for service in SERVICES:
        password = os.environ[f"{service.upper()}_AMQP_PASSWORD"]
        put(f"/api/users/{service}", {"password": password, "tags": ""})
        put(f"/api/permissions/%2F/{service}", RIGHTS)
        sys.stdout.write(f"{service}: may use the broker\n")


if __name__ == "__main__":
    main()
