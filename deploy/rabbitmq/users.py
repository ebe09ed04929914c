"""Create a broker user for each service that uses RabbitMQ, or update its password and permissions.

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
NAME_PATTERN = r"shop\.events|(catalog\.payments|payments\.orders)(\.dead-letters|\.marker)?"
START_SECONDS = 60

# A publisher also declares the queue of the consumer, so that no event is published before the queue exists. Both services
# therefore need permissions for the same exchange and queues. They have no other permissions. Declaring a queue with a dead-letter exchange
# requires write permission on that exchange, here `amq.default` (https://www.rabbitmq.com/docs/access-control).
PERMISSIONS = {
    "configure": f"^({NAME_PATTERN})$",
    "write": rf"^({NAME_PATTERN}|amq\.default)$",
    "read": f"^({NAME_PATTERN})$",
}


def put(path: str, body: dict[str, str]) -> None:
    """Send a PUT request to the management API. Retries for START_SECONDS while the broker is starting; exits on errors."""
    credentials = base64.b64encode(f"{ADMIN}:{os.environ['RABBITMQ_PASSWORD']}".encode()).decode()
    request = urllib.request.Request(  # noqa: S310 -- the URL comes from the operator
        f"{os.environ['RABBITMQ_API']}{path}",
        json.dumps(body).encode(),
        {"Authorization": f"Basic {credentials}", "Content-Type": "application/json"},
        method="PUT",
    )
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            urllib.request.urlopen(request, timeout=5).close()  # noqa: S310
            return
        except urllib.error.HTTPError as error:
            sys.exit(f"{path}: the broker answered with {error.code} {error.reason}")
        except OSError as error:
            if time.monotonic() > deadline:
                sys.exit(f"{path}: the broker did not answer within {START_SECONDS} s: {error}")
            time.sleep(1)


def main() -> None:
    """Create or update all users."""
    for service in SERVICES:
        password = os.environ[f"{service.upper()}_AMQP_PASSWORD"]
        put(f"/api/users/{service}", {"password": password, "tags": ""})
        put(f"/api/permissions/%2F/{service}", PERMISSIONS)
        sys.stdout.write(f"{service}: user and permissions set\n")


if __name__ == "__main__":
    main()
