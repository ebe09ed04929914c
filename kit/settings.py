"""Read settings from environment variables. The value of NAME can also be in a file, whose path is in NAME_FILE."""

import os
import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from kit.database_url import check_database_url
from kit.origins import normalize_origins

PLACEHOLDER = re.compile(
    r"change.?me|placeholder|your[-_ ]|<[^>]*>|^(secret|password|admin|guest|test|x+)$|_x{3,}$", re.I
)

HOST_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")


def _check_secret(secret: SecretStr) -> SecretStr:
    value = secret.get_secret_value()
    if PLACEHOLDER.search(value):
        raise ValueError("is a placeholder: set a real secret (`make env` generates them)")
    if len(value) < 12:
        raise ValueError("is too short for a secret: use at least 12 characters")
    return secret


def _split_at_commas(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


Secret = Annotated[SecretStr, AfterValidator(_check_secret)]
"""A secret of at least 12 characters that is not a placeholder. It is never printed."""

CommaList = Annotated[list[str], NoDecode, BeforeValidator(_split_at_commas)]
DatabaseUrl = Annotated[Secret, AfterValidator(check_database_url)]
"""The URL of a Postgres database, as cloud providers print it."""

Origins = Annotated[CommaList, AfterValidator(normalize_origins)]
"""Origins such as https://shop.example, separated by commas, or `*`. They are normalized, because they are compared by equality."""


def _check_proxies(proxies: list[str]) -> list[str]:
    for proxy in proxies:
        try:
            ip_network(proxy)
        except ValueError as error:
            if not HOST_NAME.fullmatch(proxy):
                raise ValueError(
                    "must be IP addresses, networks (10.0.0.0/24) or host names, separated by commas"
                ) from error
    return proxies


Proxies = Annotated[CommaList, AfterValidator(_check_proxies)]
"""IP addresses, networks and host names, separated by commas."""

Port = Annotated[int, Field(ge=1, le=65535)]


def read_secret_file(name: str) -> str | None:
    """Return the contents of the file named by NAME_FILE, or None if that variable is not set."""
    path = os.environ.get(f"{name}_FILE")
    if not path:
        return None
    try:
        return Path(path).read_text().strip()
    except OSError as error:
        raise SystemExit(f"{name}_FILE: cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise SystemExit(
            f"{name}_FILE: {path} is not UTF-8 text"
        ) from None  # the message of the UnicodeDecodeError contains the secret


class FileSource(PydanticBaseSettingsSource):
    """Reads NAME from the file in NAME_FILE (NAME_FILE=/run/secrets/name), as the official Docker images do."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return read_secret_file(field_name.upper()), field_name, False

    def __call__(self) -> dict[str, Any]:
        found = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in found.items() if value is not None}


class Settings(BaseSettings):
    """The settings of every service."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True, env_ignore_empty=True)

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "console"] = "json"
    http_host: str = "127.0.0.1"
    web_concurrency: int = Field(default=1, ge=1, le=64)
    database_connections: int = Field(
        default=15,
        ge=3,
        le=100,
        description="Maximum number of database connections of a process for requests and jobs that write",
    )
    database_reading_connections: int = Field(
        default=5, ge=1, le=100, description="Maximum number of database connections of a web process for GET requests"
    )
    cors_origins: Origins = []
    trusted_proxies: Proxies = []
    rate_limit_per_account: int = Field(default=60, ge=1, le=1_000_000)
    rate_limit_per_account_total: int = Field(default=600, ge=1, le=1_000_000)
    rate_limit_per_address: int = Field(default=30_000, ge=1, le=100_000_000)
    token_issuer: str = Field(min_length=1, max_length=200)
    token_audience: str = Field(default="shop", min_length=1, max_length=200)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, FileSource(settings_cls)


S = TypeVar("S", bound=BaseSettings)


def load_settings(settings: type[S]) -> S:
    """Load settings from the environment, or exit with a message that names each invalid variable and the reason, but not its value."""
    try:
        return settings()
    except ValidationError as error:
        lines = [f"  {str(e['loc'][0]).upper() if e['loc'] else 'settings'}: {e['msg']}" for e in error.errors()]
        raise SystemExit("\n".join(["Cannot start. Invalid environment variables:", *lines])) from None
