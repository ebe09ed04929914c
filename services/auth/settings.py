"""The settings of auth, read from environment variables."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from contracts.tokens import MAX_LIFETIME_SECONDS
from kit.settings import DatabaseUrl, Port, Secret, Settings, load_settings
from services.auth.email_addresses import Email

MIN_ACTIVATION_SECONDS = 15
"""A service of ours fetches an unknown key at most every ten seconds, within three seconds; auth reads new key files every two seconds."""


class PasswordScheme(StrEnum):
    BCRYPT_SHA256 = "bcrypt_sha256"
    ARGON2 = "argon2"


def _check_issuer(issuer: str) -> str:
    if not issuer.startswith(("http://", "https://")) or "?" in issuer or "#" in issuer or issuer.endswith("/"):
        raise ValueError(
            "must be the http or https URL at which clients reach auth, without query, fragment or trailing slash"
            " (RFC 8414 section 2)"
        )
    return issuer


class AuthSettings(Settings):
    token_issuer: Annotated[str, AfterValidator(_check_issuer)] = Field(min_length=1, max_length=200)
    auth_port: Port = 8001
    auth_worker_port: Port = 8101
    auth_database_url: DatabaseUrl
    auth_migration_database_url: DatabaseUrl | None = Field(
        default=None,
        description="URL of the auth database for the role that owns the tables, for `migrate`; default: AUTH_DATABASE_URL",
    )
    auth_keys_dir: Path = Field(
        description="Folder of the private signing keys (PEM). The command `keys create` creates the first key"
    )
    auth_key_activation_seconds: int = Field(
        default=7500,
        ge=MIN_ACTIVATION_SECONDS,
        le=604_800,
        description="Seconds between publishing a new signing key and signing with it. AWS API Gateway caches keys for two hours",
    )
    auth_access_token_seconds: int = Field(
        default=900, ge=60, le=MAX_LIFETIME_SECONDS, description="Lifetime of an access token in seconds"
    )
    auth_password_scheme: PasswordScheme = PasswordScheme.BCRYPT_SHA256
    auth_bcrypt_rounds: int = Field(
        default=12, ge=10, le=15, description="Cost parameter of bcrypt. Adding 1 doubles the time of a hash"
    )
    auth_shop_name: str = Field(
        default="", max_length=100, description="Name of the shop. Passwords made of it are refused"
    )
    auth_admin_email: Email | None = None
    auth_admin_password: Secret | None = None

    @model_validator(mode="after")
    def _check_admin(self) -> Self:
        if (self.auth_admin_email is None) != (self.auth_admin_password is None):
            raise ValueError("AUTH_ADMIN_EMAIL and AUTH_ADMIN_PASSWORD belong together: set both, or neither")
        return self


settings = load_settings(AuthSettings)
