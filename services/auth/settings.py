"""The settings of auth, read from environment variables."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from contracts.tokens import MAX_LIFETIME_SECONDS
from kit.settings import DatabaseUrl, Port, Secret, Settings, load_settings
from services.auth.email_addresses import Email
from services.auth.mailboxes import check_mailbox
from services.auth.smtp_url import check_smtp_url

MIN_ACTIVATION_SECONDS = 15
"""Our services fetch unknown keys at most every ten seconds, and a fetch takes up to three; auth reads new key files every two seconds."""


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


def _check_shop_url(url: str) -> str:
    if url and (
        not url.startswith(("http://", "https://")) or "?" in url or "#" in url or not url.isprintable() or " " in url
    ):
        raise ValueError("must be an http or https URL without query and fragment")
    return url.rstrip("/")


class RegistrationMode(StrEnum):
    DIRECT = "direct"
    """The account is created at once; the answer says whether the address has an account already."""

    VERIFIED = "verified"
    """The account is created when the owner of the address has confirmed it. Logins need a verified address."""


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
        description="Seconds between publishing a new signing key and signing with it. The default is longer than the two hours for which"
        " AWS API Gateway caches keys",
    )
    auth_access_token_seconds: int = Field(
        default=900, ge=60, le=MAX_LIFETIME_SECONDS, description="Lifetime of an access token in seconds"
    )
    auth_password_scheme: PasswordScheme = PasswordScheme.BCRYPT_SHA256
    auth_bcrypt_rounds: int = Field(
        default=12, ge=10, le=15, description="Cost parameter of bcrypt. Adding 1 doubles the time of a hash"
    )
    auth_shop_name: str = Field(
        default="", max_length=100, description="Name of the shop in mails. Passwords must not consist of it"
    )
    auth_registration: RegistrationMode = RegistrationMode.DIRECT
    auth_smtp_url: Annotated[str, AfterValidator(check_smtp_url)] | None = Field(
        default=None,
        description="URL of the mail server: smtp://host:587 (STARTTLS), smtps://host:465 (TLS), or smtp+plain://host:25 without"
        " encryption. Without it, no mail is sent",
    )
    auth_smtp_user: str | None = Field(default=None, max_length=320)
    auth_smtp_password: SecretStr | None = None
    auth_mail_from: Annotated[str, AfterValidator(check_mailbox)] | None = Field(
        default=None, description="Sender of all mail, such as `Kwik Mart <no-reply@shop.example>`"
    )
    auth_mail_templates: Path | None = Field(
        default=None, description="Folder of templates that replace those of services/auth/mail/templates"
    )
    auth_shop_url: Annotated[str, AfterValidator(_check_shop_url)] = Field(
        default="",
        max_length=200,
        description="URL of the shop's web pages, to which mails link. Without it, mails contain a token instead of a link",
    )
    auth_hash_threads: int | None = Field(
        default=None,
        ge=1,
        le=256,
        description="Threads of each web process that hash passwords. Default: the CPUs of the container, shared by the web processes",
    )
    auth_admin_email: Email | None = None
    auth_admin_password: Secret | None = None

    auth_payments_client_secret: Secret | None = Field(
        default=None,
        description="Secret of the client application `payments`, which is created with the scope orders:read when auth starts",
    )

    @model_validator(mode="after")
    def _check_admin(self) -> Self:
        if (self.auth_admin_email is None) != (self.auth_admin_password is None):
            raise ValueError("AUTH_ADMIN_EMAIL and AUTH_ADMIN_PASSWORD belong together: set both, or neither")
        return self

    @model_validator(mode="after")
    def _check_mail(self) -> Self:
        if self.auth_smtp_url is not None and self.auth_mail_from is None:
            raise ValueError("AUTH_SMTP_URL is set: set AUTH_MAIL_FROM too")
        if self.auth_smtp_url is None and self.auth_registration is RegistrationMode.VERIFIED:
            raise ValueError("AUTH_REGISTRATION is verified, which needs mail: set AUTH_SMTP_URL too")
        if (self.auth_smtp_user is None) != (self.auth_smtp_password is None):
            raise ValueError("AUTH_SMTP_USER and AUTH_SMTP_PASSWORD belong together: set both, or neither")
        return self


settings = load_settings(AuthSettings)
