"""The parts that tests stand on: a private Postgres with the three migrated databases, a private RabbitMQ, tokens.

Services read their settings when they are imported, so the environment is set here, before any test module is.
"""

import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from contracts.tokens import ADMIN_SCOPES, CUSTOMER_SCOPES
from dev.process import accounts
from dev.process.console import Console
from dev.process.program import Program
from dev.process.supervisor import Supervisor
from dev.servers import packages
from dev.servers.postgres import Postgres
from dev.servers.rabbitmq import RabbitMQ
from dev.servers.state import State
from dev.stack.addresses import server_ports

SERVICES = ("auth", "catalog", "payments")
FOLDER = Path(tempfile.mkdtemp(prefix="shop-tests-"))
FOLDER.chmod(0o711)
state = State(FOLDER / "state.json")
PORTS = server_ports(state)
# `kit` is the database of the kit's own tests: they make tables of their own there; `half` is that of migrations that die.
postgres_server = Postgres(FOLDER / "postgres", PORTS["postgres"], state, [*SERVICES, "kit", "half"])
broker_node = RabbitMQ(FOLDER / "rabbitmq", (PORTS["rabbitmq"], PORTS["distribution"], PORTS["epmd"]), state)
ISSUER = "http://auth.test"
PAYSTACK_SECRET_KEY = state.secret("paystack_secret_key", prefix="sk_test_")

ENVIRONMENT = {
    "LOG_FORMAT": "console",
    "TOKEN_ISSUER": ISSUER,
    "TOKEN_AUDIENCE": "shop",
    "JWKS_URL": f"{ISSUER}/.well-known/jwks.json",
    "AMQP_URL": broker_node.url,
    **{f"{name.upper()}_DATABASE_URL": postgres_server.url(name) for name in SERVICES},
    "AUTH_KEYS_DIR": str(FOLDER / "keys"),
    "AUTH_BCRYPT_ROUNDS": "10",
    "AUTH_ADMIN_EMAIL": "admin@example.com",
    "AUTH_ADMIN_PASSWORD": state.secret("admin_password"),
    "CATALOG_URL": "http://catalog.test",
    "PAYSTACK_URL": "http://paystack.test",
    "PAYSTACK_SECRET_KEY": PAYSTACK_SECRET_KEY,
    "PAYMENTS_PUBLIC_URL": "http://payments.test",
    "PAYMENTS_PAYSTACK_CALLS_PER_MINUTE": "600000",
}
os.environ.update(ENVIRONMENT)


def pytest_sessionfinish() -> None:
    accounts.remove_relocated(FOLDER / "postgres")
    shutil.rmtree(FOLDER, ignore_errors=True)


async def _started(program: Program) -> Supervisor:
    part = Supervisor(program, Console(), lambda: None)
    await part.start()
    return part


@pytest.fixture(scope="session")
async def postgres() -> AsyncIterator[Postgres]:
    """A private Postgres; each service's database is at its newest revision."""
    part = await _started(await postgres_server.prepare(Console()))
    try:
        await postgres_server.create_databases()
        await asyncio.gather(*(_migrate(service) for service in SERVICES))
        yield postgres_server
    finally:
        await part.stop()


async def _migrate(service: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", f"services.{service}", "migrate", env=dict(os.environ)
    )
    assert await process.wait() == 0, f"{service} did not migrate"


@pytest.fixture(scope="session")
async def rabbitmq() -> AsyncIterator[str]:
    """The AMQP URL of a private RabbitMQ."""
    server = await packages.rabbitmq_server(Console())
    parts = [await _started(program) for program in await broker_node.prepare(server)]
    try:
        yield broker_node.url
    finally:
        for part in reversed(parts):
            await part.stop()


class Signer:
    """Signs access tokens as auth would, with a key of the test's own."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.kid = "test-key"

    async def jwks(self) -> dict[str, object]:
        public = jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return {"keys": [{**public, "kid": self.kid, "alg": "RS256", "use": "sig"}]}

    def token(
        self, sub: str | None = None, *, scopes: frozenset[str] = frozenset(CUSTOMER_SCOPES), **claims: object
    ) -> str:
        now = int(time.time())
        payload = {
            "iss": ISSUER,
            "aud": "shop",
            "sub": sub or str(uuid4()),
            "client_id": "shop",
            "jti": str(uuid4()),
            "iat": now,
            "exp": now + 900,
            "scope": " ".join(sorted(scopes)),
            "email": "payer@example.com",
            **claims,
        }
        return jwt.encode(payload, self.key, algorithm="RS256", headers={"kid": self.kid, "typ": "at+jwt"})

    def headers(self, sub: str | None = None, **kwargs: object) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(sub, **kwargs)}"}  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def signer() -> Signer:
    return Signer()


ADMIN = frozenset(ADMIN_SCOPES)
