"""Who is told what: the environment of each part of the stack. A part hears the secrets that it needs and no others."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dev.process.ports import LOOPBACK
from dev.process.supervisor import NotStarted
from dev.servers.state import Keepsakes
from dev.stack.environment import given

SERVICES = ("auth", "catalog", "payments")
APIS = {"auth": 8001, "catalog": 8002, "payments": 8003, "sandbox": 8010}
WORKERS = {
    "auth-worker": 8101,
    "catalog-worker": 8102,
    "payments-worker": 8103,
}  # nobody calls them but for their health
ADMIN_EMAIL = "admin@example.com"
SPEED = "PAYMENTS_PAYSTACK_CALLS_PER_MINUTE"
SANDBOX_SPEED = "60000"
"""The sandbox has no limit until it is told one; Paystack's own would make everybody wait."""


@dataclass(frozen=True, kw_only=True)
class Wiring:
    """Addresses and secrets of one stack. `sandbox` is empty when a Paystack was given."""

    folder: Path
    ports: Mapping[str, int]
    databases: Mapping[str, str]
    amqp_url: str
    paystack_url: str
    paystack_secret_key: str
    admin_email: str
    admin_password: str

    def url(self, name: str) -> str:
        """Where an API or a worker answers; empty for one that is not part of this stack."""
        return f"http://{LOOPBACK}:{self.ports[name]}" if name in self.ports else ""

    def env(self, service: str) -> dict[str, str]:
        """The environment of a service or of the sandbox."""
        own = getattr(self, f"_{service}")()
        secret = {name for name in os.environ if name.endswith(("_DATABASE_URL", "_PASSWORD", "_SECRET_KEY", "_FILE"))}
        inherited = {name: value for name, value in os.environ.items() if name not in secret | {"AMQP_URL"}}
        common = {
            "PYTHONUNBUFFERED": "1",
            "LOG_LEVEL": os.environ.get("LOG_LEVEL", "INFO"),
            "LOG_FORMAT": os.environ.get("LOG_FORMAT", "console"),
            "HTTP_HOST": os.environ.get("HTTP_HOST", LOOPBACK),
            "TOKEN_ISSUER": self.url("auth"),
            "TOKEN_AUDIENCE": "shop",
        }
        return {**inherited, **common, **own}

    def stack_env(self) -> dict[str, str]:
        """What `.run/stack.env` tells about the stack as a whole; with it, the operators' command line needs nothing else."""
        return {
            **{f"{api.upper()}_URL": self.url(api) for api in APIS},
            "ADMIN_EMAIL": self.admin_email,
            "ADMIN_PASSWORD": self.admin_password,
            **{f"{service.upper()}_DATABASE_URL": self.databases[service] for service in SERVICES},
            "TOKEN_ISSUER": self.url("auth"),
            **self._payments(),
        }

    def _auth(self) -> dict[str, str]:
        return {
            "AUTH_PORT": str(self.ports["auth"]),
            "AUTH_WORKER_PORT": str(self.ports["auth-worker"]),
            "AUTH_DATABASE_URL": self.databases["auth"],
            "AUTH_KEYS_DIR": str(self.folder / "keys"),
            "AUTH_ADMIN_EMAIL": self.admin_email,
            "AUTH_ADMIN_PASSWORD": self.admin_password,
        }

    def _catalog(self) -> dict[str, str]:
        return {
            "CATALOG_PORT": str(self.ports["catalog"]),
            "CATALOG_WORKER_PORT": str(self.ports["catalog-worker"]),
            "CATALOG_DATABASE_URL": self.databases["catalog"],
            "AMQP_URL": self.amqp_url,
            "JWKS_URL": f"{self.url('auth')}/.well-known/jwks.json",
        }

    def _payments(self) -> dict[str, str]:
        return {
            "PAYMENTS_PORT": str(self.ports["payments"]),
            "PAYMENTS_WORKER_PORT": str(self.ports["payments-worker"]),
            "PAYMENTS_DATABASE_URL": self.databases["payments"],
            "PAYMENTS_PUBLIC_URL": os.environ.get("PAYMENTS_PUBLIC_URL") or self.url("payments"),
            "AMQP_URL": self.amqp_url,
            "JWKS_URL": f"{self.url('auth')}/.well-known/jwks.json",
            "CATALOG_URL": self.url("catalog"),
            "PAYSTACK_URL": self.paystack_url,
            "PAYSTACK_SECRET_KEY": self.paystack_secret_key,
            **({SPEED: os.environ.get(SPEED) or SANDBOX_SPEED} if "sandbox" in self.ports else {}),
        }

    def _sandbox(self) -> dict[str, str]:
        return {
            "SANDBOX_HOST": os.environ.get("HTTP_HOST", LOOPBACK),
            "SANDBOX_PORT": str(self.ports["sandbox"]),
            "SANDBOX_PUBLIC_URL": os.environ.get("SANDBOX_PUBLIC_URL") or self.url("sandbox"),
            "SANDBOX_DATABASE": str(self.folder / "sandbox.sqlite"),
            "SANDBOX_WEBHOOK_URL": f"{self.url('payments')}/payments/webhooks/paystack",
            "PAYSTACK_SECRET_KEY": self.paystack_secret_key,
        }


def wire(
    folder: Path, ports: Mapping[str, int], databases: Mapping[str, str], amqp_url: str, keepsakes: Keepsakes
) -> Wiring:
    """Fills in what the environment gives and makes up the rest: the administrator, and Paystack or its sandbox."""
    paystack_url = given("PAYSTACK_URL")
    if paystack_url and not given("PAYSTACK_SECRET_KEY"):
        raise NotStarted("PAYSTACK_URL is given: then PAYSTACK_SECRET_KEY is needed too")
    return Wiring(
        folder=folder,
        ports=ports,
        databases=databases,
        amqp_url=amqp_url,
        paystack_url=paystack_url or f"http://{LOOPBACK}:{ports['sandbox']}",
        paystack_secret_key=given("PAYSTACK_SECRET_KEY") or keepsakes.secret("paystack_secret_key", prefix="sk_test_"),
        admin_email=given("AUTH_ADMIN_EMAIL") or ADMIN_EMAIL,
        admin_password=given("AUTH_ADMIN_PASSWORD") or keepsakes.secret("admin_password"),
    )
