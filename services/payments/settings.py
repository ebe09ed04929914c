"""What payments reads from the environment."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator

from kit.settings import CommaList, Port, Secret, Settings, load_settings
from services.payments.mode import Mode


def _paystack_key(secret: SecretStr | None) -> SecretStr | None:
    if secret is not None and not re.fullmatch(r"sk_(test|live)_[A-Za-z0-9_]{8,200}", secret.get_secret_value()):
        raise ValueError("is no Paystack secret key: it begins with sk_test_ or sk_live_")
    return secret


def _mode(key: SecretStr) -> Mode:
    return Mode.LIVE if key.get_secret_value().startswith("sk_live_") else Mode.TEST


PaystackKey = Annotated[Secret | None, AfterValidator(_paystack_key)]


class PaymentsSettings(Settings):
    payments_port: Port = 8003
    payments_worker_port: Port = 8103
    payments_database_url: Secret
    amqp_url: Secret
    jwks_url: str
    catalog_url: str
    payments_public_url: str = Field(description="Where a payer's browser reaches this service")
    paystack_url: str = "https://api.paystack.co"
    paystack_secret_key: PaystackKey = None
    paystack_secret_key_previous: PaystackKey = Field(
        default=None,
        description="Accepted in webhook signatures while a key is being rotated; Paystack retries for 72 hours",
    )
    payments_callback_origins: CommaList = Field(
        default=[], description="Origins that a callback_url or cancel_url may have; any where the list is empty"
    )
    payments_verify_after_seconds: int = Field(
        default=60, ge=1, le=86400, description="How long a webhook is waited for before Paystack is asked"
    )
    payments_abandon_after_seconds: int = Field(
        default=48 * 3600,
        ge=60,
        le=30 * 86400,
        description="How long an unpaid payment is asked about before it is given up",
    )
    payments_paystack_calls_per_minute: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000,
        description="Calls of Paystack a minute for what can wait; where absent, three quarters of Paystack's own limit",
    )
    payments_backfill_after_minutes: int = Field(
        default=15, ge=1, le=1440, description="How long ago the last backfill may be before the next"
    )

    @field_validator("paystack_secret_key_previous")
    @classmethod
    def _of_one_mode(cls, previous: SecretStr | None, others: ValidationInfo) -> SecretStr | None:
        """Many know a test key: whoever does could sign that live money came."""
        key = others.data.get("paystack_secret_key")
        if previous is not None and key is not None and _mode(previous) != _mode(key):
            raise ValueError("is of the other mode than PAYSTACK_SECRET_KEY: test keys sign nothing in a live shop")
        return previous

    @property
    def webhook_keys(self) -> tuple[bytes, ...]:
        """The keys under which a webhook signature is accepted: the current one, and the previous one during a rotation."""
        keys = (self.paystack_secret_key, self.paystack_secret_key_previous)
        return tuple(key.get_secret_value().encode() for key in keys if key is not None)

    @property
    def domain(self) -> Mode:
        """The mode that our key belongs to, as Paystack's `data.domain` names it: test or live."""
        return Mode.TEST if self.paystack_secret_key is None else _mode(self.paystack_secret_key)


settings = load_settings(PaymentsSettings)
