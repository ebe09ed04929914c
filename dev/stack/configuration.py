"""The configuration of a stack, and the environment of each service. A service receives only the secrets that it needs."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dev.process.ports import LOOPBACK
from dev.process.program import NotStarted
from dev.servers.state import State
from dev.stack.broker import BrokerUrls
from dev.stack.environment import from_environment
from dev.stack.names import APIS, BROKER_VARIABLES, SERVICES

ADMIN_EMAIL = "admin@example.com"
MAIL_FROM = "Shop <no-reply@shop.example>"
SECRET_SUFFIXES = ("_DATABASE_URL", "AMQP_URL", "_PASSWORD", "_SECRET_KEY", "_SECRET", "_FILE")
CALLS_PER_MINUTE = "PAYMENTS_PAYSTACK_CALLS_PER_MINUTE"
TRANSFER_ACCOUNT_SECONDS = "PAYMENTS_TRANSFER_ACCOUNT_SECONDS"
SANDBOX_CALLS_PER_MINUTE = "60000"
"""Used with the sandbox, which has no rate limit unless a fault sets one. Paystack's limit would only slow down the stack."""


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """Addresses and secrets of one stack. `ports` has no entry for the sandbox if PAYSTACK_URL is set, and none for the mail catcher if
    AUTH_SMTP_URL is set.

    `databases` has the URL of each service for its application's role, `migration_databases` for the owner's role. A service whose database
    has one role only is missing in `migration_databases`.
    """

    folder: Path
    ports: Mapping[str, int]
    smtp_port: int
    databases: Mapping[str, str]
    migration_databases: Mapping[str, str]
    broker: BrokerUrls
    paystack_url: str
    paystack_secret_key: str
    payments_client_secret: str
    admin_email: str
    admin_password: str

    def url(self, name: str) -> str:
        """Return the URL of a process, or an empty string if this stack does not run it."""
        return f"http://{LOOPBACK}:{self.ports[name]}" if name in self.ports else ""

    def env(self, name: str) -> dict[str, str]:
        """Return the environment of a process. Only the workers receive the URL of the broker."""
        service, _, worker = name.partition("-")
        own = getattr(self, f"_{service}")()
        if worker and service in self.broker.services:
            own["AMQP_URL"] = self.broker.services[service]
        secret = {name for name in os.environ if name.endswith(SECRET_SUFFIXES)}
        inherited = {name: value for name, value in os.environ.items() if name not in secret}
        common = {
            "PYTHONUNBUFFERED": "1",
            "LOG_LEVEL": os.environ.get("LOG_LEVEL", "INFO"),
            "LOG_FORMAT": os.environ.get("LOG_FORMAT", "console"),
            "HTTP_HOST": os.environ.get("HTTP_HOST", LOOPBACK),
            "TOKEN_ISSUER": self.url("auth"),
            "TOKEN_AUDIENCE": "shop",
        }
        return {**inherited, **common, **own}

    def migration_env(self, service: str) -> dict[str, str]:
        """Return the variables that only `migrate` receives."""
        url = self.migration_databases.get(service)
        return {f"{service.upper()}_MIGRATION_DATABASE_URL": url} if url else {}

    def stack_env(self) -> dict[str, str]:
        """Return the content of stack.env without the PIDs. The operators' commands of all services can run in this environment."""
        return {
            **{f"{api.upper()}_URL": self.url(api) for api in APIS},
            "MAIL_CATCHER_URL": self.url("mail-catcher"),
            "ADMIN_EMAIL": self.admin_email,
            "ADMIN_PASSWORD": self.admin_password,
            **{f"{service.upper()}_DATABASE_URL": self.databases[service] for service in SERVICES},
            **{name: url for service in SERVICES for name, url in self.migration_env(service).items()},
            "TOKEN_ISSUER": self.url("auth"),
            **self._commands_of_auth(),
            **self._payments(),
            "AMQP_URL": self.broker.administrator,
            **{BROKER_VARIABLES[service]: url for service, url in self.broker.services.items()},
        }

    def _auth(self) -> dict[str, str]:
        return {
            "AUTH_PORT": str(self.ports["auth"]),
            "AUTH_WORKER_PORT": str(self.ports["auth-worker"]),
            "AUTH_DATABASE_URL": self.databases["auth"],
            **self._commands_of_auth(),
            **self._mail_settings(),
        }

    def _commands_of_auth(self) -> dict[str, str]:
        """Return what the operators' commands of auth need besides the database."""
        return {
            "AUTH_KEYS_DIR": str(self.folder / "keys"),
            "AUTH_ADMIN_EMAIL": self.admin_email,
            "AUTH_ADMIN_PASSWORD": self.admin_password,
            "AUTH_PAYMENTS_CLIENT_SECRET": self.payments_client_secret,
        }

    def _mail_settings(self) -> dict[str, str]:
        """Return the settings of the mail server: the mail catcher, or the server of AUTH_SMTP_URL."""
        sender = {"AUTH_MAIL_FROM": os.environ.get("AUTH_MAIL_FROM") or MAIL_FROM}
        if "mail-catcher" in self.ports:
            return {"AUTH_SMTP_URL": f"smtp+plain://{LOOPBACK}:{self.smtp_port}", **sender}
        given = {name: from_environment(name) for name in ("AUTH_SMTP_URL", "AUTH_SMTP_PASSWORD")}
        return {**{name: value for name, value in given.items() if value}, **sender}

    def _mail(self) -> dict[str, str]:
        return {
            "MAIL_CATCHER_HOST": LOOPBACK,
            "MAIL_CATCHER_PORT": str(self.ports["mail-catcher"]),
            "MAIL_CATCHER_SMTP_PORT": str(self.smtp_port),
        }

    def _catalog(self) -> dict[str, str]:
        return {
            "CATALOG_PORT": str(self.ports["catalog"]),
            "CATALOG_WORKER_PORT": str(self.ports["catalog-worker"]),
            "CATALOG_DATABASE_URL": self.databases["catalog"],
            "JWKS_URL": f"{self.url('auth')}/.well-known/jwks.json",
            "REVOCATIONS_URL": f"{self.url('auth')}/auth/revocations",
        }

    def _payments(self) -> dict[str, str]:
        return {
            "PAYMENTS_PORT": str(self.ports["payments"]),
            "PAYMENTS_WORKER_PORT": str(self.ports["payments-worker"]),
            "PAYMENTS_DATABASE_URL": self.databases["payments"],
            "PAYMENTS_PUBLIC_URL": os.environ.get("PAYMENTS_PUBLIC_URL") or self.url("payments"),
            # A front end in development may run on any port.
            "PAYMENTS_CALLBACK_ORIGINS": os.environ.get("PAYMENTS_CALLBACK_ORIGINS") or "*",
            "JWKS_URL": f"{self.url('auth')}/.well-known/jwks.json",
            "REVOCATIONS_URL": f"{self.url('auth')}/auth/revocations",
            "CATALOG_URL": self.url("catalog"),
            "PAYSTACK_URL": self.paystack_url,
            "PAYSTACK_SECRET_KEY": self.paystack_secret_key,
            "PAYMENTS_CLIENT_SECRET": self.payments_client_secret,
            **(
                {
                    CALLS_PER_MINUTE: os.environ.get(CALLS_PER_MINUTE) or SANDBOX_CALLS_PER_MINUTE,
                    # The sandbox's transfer accounts end with the checkout.
                    TRANSFER_ACCOUNT_SECONDS: os.environ.get(TRANSFER_ACCOUNT_SECONDS) or "0",
                }
                if "sandbox" in self.ports
                else {}
            ),
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


def configure(
    folder: Path,
    ports: Mapping[str, int],
    smtp_port: int,
    databases: Mapping[str, str],
    migration_databases: Mapping[str, str],
    broker: BrokerUrls,
    state: State,
) -> Configuration:
    """Take the settings from the environment.

    Where they are missing, use a default e-mail address and a generated password of the administrator, and a generated secret key. Without
    PAYSTACK_URL, use the sandbox.
    """
    paystack_url = from_environment("PAYSTACK_URL")
    if paystack_url and not from_environment("PAYSTACK_SECRET_KEY"):
        raise NotStarted("PAYSTACK_URL is set: set PAYSTACK_SECRET_KEY too")
    return Configuration(
        folder=folder,
        ports=ports,
        smtp_port=smtp_port,
        databases=databases,
        migration_databases=migration_databases,
        broker=broker,
        paystack_url=paystack_url or f"http://{LOOPBACK}:{ports['sandbox']}",
        paystack_secret_key=from_environment("PAYSTACK_SECRET_KEY")
        or state.secret("paystack_secret_key", prefix="sk_test_"),
        payments_client_secret=from_environment("PAYMENTS_CLIENT_SECRET") or state.secret("payments_client_secret"),
        admin_email=from_environment("AUTH_ADMIN_EMAIL") or ADMIN_EMAIL,
        admin_password=from_environment("AUTH_ADMIN_PASSWORD") or state.secret("admin_password"),
    )
