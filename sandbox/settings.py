import re
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from sandbox.store import MEMORY

SECRET_KEY = re.compile(r"sk_(test|live)_[!-~]{4,200}")
EVERY_INTERFACE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104


def _web_address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must start with http:// or https://")
    return value


WebAddress = Annotated[str, Field(max_length=2048), AfterValidator(_web_address)]


class Settings(BaseSettings):
    """What the environment says, under the names SANDBOX_HOST, SANDBOX_PORT and so on."""

    model_config = SettingsConfigDict(env_prefix="SANDBOX_", env_ignore_empty=True, populate_by_name=True)

    host: str = "127.0.0.1"
    port: int = Field(8010, ge=1, le=65535)
    public_url: WebAddress | None = None
    """The origin under which a payer's browser reaches the checkout page; http://HOST:PORT when not given."""
    webhook_url: WebAddress | None = None
    """Where webhooks go. Without it none are sent, as on a dashboard that has no URL."""
    database: str = MEMORY
    """A SQLite file; in memory, everything is forgotten at exit."""
    time_scale: float = Field(1.0, gt=0, le=1000)
    """Multiplies the waits between webhook tries: at 1, one second stands for 3 minutes and five for an hour.
    A dispute's hours are of the same kind."""
    refund_seconds: float = Field(1.0, ge=0, le=86_400)
    """From pending to processing, and from there to the end, that take days; at 0 only a script moves a refund."""
    secret_key: SecretStr = Field(SecretStr(""), validation_alias="PAYSTACK_SECRET_KEY")
    """sk_test_… or sk_live_…: callers show it, webhooks are signed with it, and it picks the domain."""
    secret_key_file: Path | None = Field(None, validation_alias="PAYSTACK_SECRET_KEY_FILE")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", validation_alias="LOG_LEVEL")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not self.secret_key.get_secret_value() and self.secret_key_file is not None:
            try:
                self.secret_key = SecretStr(self.secret_key_file.read_text("utf-8").strip())
            except (OSError, UnicodeDecodeError) as error:
                raise ValueError(f"PAYSTACK_SECRET_KEY_FILE cannot be read: {type(error).__name__}") from error
        if not SECRET_KEY.fullmatch(self.secret_key.get_secret_value()):
            raise ValueError("PAYSTACK_SECRET_KEY (or PAYSTACK_SECRET_KEY_FILE) must hold sk_test_… or sk_live_…")
        return self

    @property
    def key(self) -> bytes:
        return self.secret_key.get_secret_value().encode()

    @property
    def origin(self) -> str:
        """What comes before the path of a page that a payer opens."""
        return (self.public_url or f"http://{EVERY_INTERFACE.get(self.host, self.host)}:{self.port}").rstrip("/")

    @property
    def domain(self) -> str:
        return "live" if self.key.startswith(b"sk_live_") else "test"
