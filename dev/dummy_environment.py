"""A complete environment without real addresses or secrets: enough to import any service, not to run it."""

import os

URL = "http://127.0.0.1:9"
DUMMY_ENVIRONMENT = {
    "LOG_LEVEL": "ERROR",
    "LOG_FORMAT": "console",
    "TOKEN_ISSUER": URL,
    "JWKS_URL": f"{URL}/.well-known/jwks.json",
    "AUTH_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/auth",
    "AUTH_KEYS_DIR": "/nonexistent",
    "CATALOG_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/catalog",
    "CATALOG_URL": URL,
    "PAYMENTS_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/payments",
    "PAYMENTS_PUBLIC_URL": URL,
    "PAYSTACK_URL": URL,
    "PAYSTACK_SECRET_KEY": "sk_test_0000000000000000000000000000000000000000",
}


def dummy_environment() -> dict[str, str]:
    """Return the dummy environment and PATH. Nothing else is inherited, so the result is the same on every machine."""
    return {"PATH": os.environ.get("PATH", os.defpath), **DUMMY_ENVIRONMENT}
