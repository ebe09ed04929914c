import re
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from sandbox.enums import Domain
from sandbox.store import MEMORY

SECRET_KEY = re.compile(r"sk_(test|live)_[!-~]{4,200}")
LOOPBACK_OF_WILDCARD = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104


def _check_http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must start with http:// or https://")
    return value


HttpUrl = Annotated[str, Field(max_length=2048), AfterValidator(_check_http_url)]


class Settings(BaseSettings):
    """Settings from the environment, named SANDBOX_HOST, SANDBOX_PORT and so on unless an alias is given."""

    model_config = SettingsConfigDict(env_prefix="SANDBOX_", env_ignore_empty=True, populate_by_name=True)

    host: str = "127.0.0.1"
    port: int = Field(8010, ge=1, le=65535)
    public_url: HttpUrl | None = None
    """Origin (scheme, host and port) at which a payer's browser reaches the checkout page. Default: http://HOST:PORT."""
    webhook_url: HttpUrl | None = None
    """URL that receives the webhooks. Without it no webhooks are sent, as without a webhook URL in Paystack's dashboard."""
    database: str = MEMORY
    """Path of the SQLite file. Default: in memory, so all data is lost at exit."""
    time_scale: float = Field(1.0, gt=0, le=1000)
    """Multiplies the waits between webhook attempts and the hours of disputes. At 1, the 3 minutes between Paystack's first
    attempts take one second, and an hour takes five seconds."""
    refund_seconds: float = Field(1.0, ge=0, le=86_400)
    """Duration of each of the two steps of a refund (to processing, then to its final status), which take days at Paystack.
    At 0, refunds do not change by themselves."""
    secret_key: SecretStr = Field(SecretStr(""), validation_alias="PAYSTACK_SECRET_KEY")
    """sk_test_… or sk_live_…. It authenticates callers, signs webhooks and selects the domain (test or live)."""
    secret_key_file: Path | None = Field(None, validation_alias="PAYSTACK_SECRET_KEY_FILE")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", validation_alias="LOG_LEVEL")

    @model_validator(mode="after")
    def _read_secret_key(self) -> Self:
        if not self.secret_key.get_secret_value() and self.secret_key_file is not None:
            try:
                self.secret_key = SecretStr(self.secret_key_file.read_text("utf-8").strip())
            except (OSError, UnicodeDecodeError) as error:
                raise ValueError(f"PAYSTACK_SECRET_KEY_FILE cannot be read: {type(error).__name__}") from error
        if not SECRET_KEY.fullmatch(self.secret_key.get_secret_value()):
            raise ValueError(
                "PAYSTACK_SECRET_KEY (or PAYSTACK_SECRET_KEY_FILE) must hold a key that starts with sk_test_ or sk_live_"
            )
        return self

    @property
    def key(self) -> bytes:
        return self.secret_key.get_secret_value().encode()

    @property
    def origin(self) -> str:
        """Scheme, host and port of the pages that a payer opens."""
        return (self.public_url or f"http://{LOOPBACK_OF_WILDCARD.get(self.host, self.host)}:{self.port}").rstrip("/")

    @property
    def domain(self) -> Domain:
        return Domain.LIVE if self.key.startswith(b"sk_live_") else Domain.TEST
