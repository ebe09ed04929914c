"""The names of a stack's processes, and the default ports of those that listen."""

SERVICES = ("auth", "catalog", "payments")
BROKER_VARIABLES = {"auth": "AUTH_AMQP_URL", "catalog": "CATALOG_AMQP_URL", "payments": "PAYMENTS_AMQP_URL"}
"""The services that use the broker, each with the variable that holds its URL. Only their workers connect to the broker."""

APIS = {"auth": 8001, "catalog": 8002, "payments": 8003, "sandbox": 8010}
WORKERS = {"auth-worker": 8101, "catalog-worker": 8102, "payments-worker": 8103}
"""The workers' ports serve /readyz and /metrics only."""

TOOLS = {"mail-catcher": 8025}
"""Runs unless AUTH_SMTP_URL is set. The port serves its page; the port for SMTP is one of the stack's own."""

PROCESSES = (
    "auth",
    "auth-worker",
    "catalog",
    "catalog-worker",
    "payments",
    "payments-worker",
    "sandbox",
    "rabbitmq",
    "postgres",
)
"""The processes whose PID is in stack.env, in this order."""
SERVERS = ("rabbitmq", "epmd", "postgres")
"""Stopped after the services, in this order."""


def variable_prefix(name: str) -> str:
    """Return the form of a process name in environment variables: `auth-worker` becomes `AUTH_WORKER`."""
    return name.upper().replace("-", "_")
