"""What auth reads from the environment."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from kit.settings import Port, Secret, Settings, load_settings
from services.auth.addresses import Email


def _base_url(issuer: str) -> str:
    if not issuer.startswith(("http://", "https://")) or "?" in issuer or "#" in issuer or issuer.endswith("/"):
        raise ValueError("is the URL under which clients reach auth, without a slash at its end (RFC 8414 section 2)")
    return issuer


class AuthSettings(Settings):
    token_issuer: Annotated[str, AfterValidator(_base_url)] = Field(min_length=1, max_length=200)
    auth_port: Port = 8001
    auth_worker_port: Port = 8101
    auth_database_url: Secret
    auth_keys_dir: Path = Field(description="Folder of private signing keys (PEM); `keys` makes the first")
    auth_key_activation_seconds: int = Field(
        default=15,
        ge=0,
        le=86_400,
        description="How long a new key is published before it signs; longer than any verifier takes to look again",
    )
    auth_access_token_seconds: int = Field(default=900, ge=60, le=3600)
    auth_password_scheme: Literal["bcrypt_sha256", "argon2"] = "bcrypt_sha256"  # noqa: S105 -- a name
    auth_bcrypt_rounds: int = Field(default=12, ge=10, le=15, description="log2: one more takes twice as long")
    auth_admin_email: Email | None = None
    auth_admin_password: Secret | None = None

    @model_validator(mode="after")
    def _admin_is_whole(self) -> Self:
        if (self.auth_admin_email is None) != (self.auth_admin_password is None):
            raise ValueError("AUTH_ADMIN_EMAIL and AUTH_ADMIN_PASSWORD go together: set both, or none")
        return self


settings = load_settings(AuthSettings)
