"""The settings of payments, read from the environment."""

import re
from ipaddress import ip_network
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator

from kit.fields import HttpUrl
from kit.origins import ANY, origin_of
from kit.settings import CommaList, DatabaseUrl, Origins, Port, Secret, Settings, load_settings
from services.payments.mode import Mode


def _check_key(secret: SecretStr | None) -> SecretStr | None:
    if secret is not None and not re.fullmatch(r"sk_(test|live)_[A-Za-z0-9_]{8,200}", secret.get_secret_value()):
        raise ValueError("must be a Paystack secret key, which begins with sk_test_ or sk_live_")
    return secret


PREFIX = r"[A-Za-z0-9][A-Za-z0-9-]{0,19}"
"""Letters, digits and hyphens: Paystack accepts them in references."""


def _check_prefix(prefix: str) -> str:
    if not re.fullmatch(PREFIX, prefix):
        raise ValueError("must be 1 to 20 letters, digits and hyphens, and begin with a letter or a digit")
    return prefix


ReferencePrefix = Annotated[str, AfterValidator(_check_prefix)]
PreviousPrefixes = Annotated[CommaList, AfterValidator(lambda prefixes: [_check_prefix(prefix) for prefix in prefixes])]


PAYSTACK_SOURCE, ANY_SOURCE = "paystack", "any"
"""The words of PAYMENTS_WEBHOOK_SOURCES for Paystack's own addresses and for every address."""


def _check_sources(sources: list[str]) -> list[str]:
    for source in sources:
        try:
            if source not in {PAYSTACK_SOURCE, ANY_SOURCE}:
                ip_network(source)
        except ValueError as error:
            raise ValueError(
                "must be `paystack`, IP addresses and networks (10.0.0.0/24), separated by commas, or `any`"
            ) from error
    if ANY_SOURCE in sources and len(sources) > 1:
        raise ValueError("must be `any` alone, or without `any`")
    return sources


Sources = Annotated[CommaList, AfterValidator(_check_sources)]


def _mode(key: SecretStr) -> Mode:
    return Mode.LIVE if key.get_secret_value().startswith("sk_live_") else Mode.TEST


PaystackKey = Annotated[Secret | None, AfterValidator(_check_key)]


class PaymentsSettings(Settings):
    payments_port: Port = Field(default=8003, description="Port of the HTTP service")
    payments_worker_port: Port = Field(default=8103, description="Port of the worker's health checks and metrics")
    payments_database_url: DatabaseUrl = Field(description="Postgres URL of the payments database")
    payments_migration_database_url: DatabaseUrl | None = Field(
        default=None,
        description="URL of the payments database for the role that owns the tables, for `migrate`; default: PAYMENTS_DATABASE_URL",
    )
    jwks_url: str = Field(description="URL of auth's public keys")
    revocations_url: HttpUrl | None = Field(
        default=None,
        description="URL of auth's revocation list; default: /auth/revocations on the host of JWKS_URL",
    )
    catalog_url: str = Field(description="Base URL of catalog")
    token_url: str | None = Field(
        default=None,
        pattern=r"^https?://",
        description="URL of auth's token endpoint, for `reconcile`; default: /auth/token on the host of JWKS_URL",
    )
    payments_client_secret: Secret | None = Field(
        default=None,
        description="Secret of the client application `payments`, with which `reconcile` reads the deliveries of catalog. Without it, "
        "they are not compared",
    )
    payments_public_url: str = Field(description="Base URL of this service for the payer's browser")
    paystack_url: str = Field(default="https://api.paystack.co", description="Base URL of Paystack's API")
    paystack_secret_key: PaystackKey = Field(
        default=None, description="Paystack secret key; without it, no payment can be started"
    )
    paystack_secret_key_previous: PaystackKey = Field(
        default=None,
        description="Previous secret key. Webhook signatures made with it are still accepted: after a key rotation, "
        "Paystack retries older webhooks for 72 hours",
    )
    payments_callback_origins: Origins = Field(
        default=[],
        description="Allowed origins of callback_url and cancel_url; `*`: all; empty: only the origin of PAYMENTS_PUBLIC_URL",
    )
    payments_reference_prefix: ReferencePrefix = Field(
        default="pay-",
        description="Beginning of the references that are created. On one Paystack account, no prefix may begin with that of another "
        "application",
    )
    payments_reference_prefixes_previous: PreviousPrefixes = Field(
        default=[],
        description="Earlier values of PAYMENTS_REFERENCE_PREFIX, separated by commas. Money under such a reference is still ours",
    )
    payments_hold_unrelated_charges: bool = Field(
        default=False,
        description="Hold money under references that are certainly not ours, until an operator decides. By default it is only recorded",
    )
    payments_require_verified_email: bool = Field(
        default=False,
        description="Refuse payments of accounts whose owners have not proved that the e-mail address is theirs",
    )
    payments_webhook_sources: Sources = Field(
        default=[],
        description="Addresses from which webhooks are accepted: `paystack` (Paystack's own), addresses and networks, separated by commas, "
        "or `any`. Default: `paystack` with a live key, `any` with a test key",
    )
    payments_shop_name: str = Field(default="", max_length=100, description="Name of the shop on the return page")
    payments_shop_url: str | None = Field(
        default=None, max_length=2000, description="URL to which the return page links"
    )
    payments_verify_after_seconds: int = Field(
        default=60,
        ge=1,
        le=86400,
        description="Seconds to wait for the webhook of a payment before the sweeper verifies the payment",
    )
    payments_abandon_after_seconds: int = Field(
        default=48 * 3600,
        ge=60,
        le=30 * 86400,
        description="Age in seconds at which an unpaid payment is verified for the last time; a pending one is then abandoned",
    )
    payments_transfer_account_seconds: int = Field(
        default=8 * 3600,
        ge=0,
        le=8 * 3600,
        description="Seconds after the end of the session of Paystack's page during which the payer can still transfer money to the bank "
        "account number that the page showed. 0: the number ends with the session",
    )
    payments_paystack_calls_per_minute: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000,
        description="Maximum number of background calls per minute, of all processes together, under each of Paystack's rate limits. "
        "75 % of a reported limit is never exceeded. Default: 75 % of the reported limit; until one is reported, of 100 with a test "
        "key and 600 with a live key",
    )
    payments_backfill_after_minutes: int = Field(
        default=15, ge=1, le=1440, description="Minutes between two backfills of webhook events"
    )

    @field_validator("payments_public_url", "payments_shop_url")
    @classmethod
    def _check_url(cls, url: str | None) -> str | None:
        if url is not None and origin_of(url) is None:
            raise ValueError("must be an http or https URL")
        return url

    @field_validator("paystack_secret_key_previous")
    @classmethod
    def _check_mode(cls, previous: SecretStr | None, others: ValidationInfo) -> SecretStr | None:
        """Refuse keys of different modes: test keys are widely known, and anyone with one could sign a live webhook."""
        key = others.data.get("paystack_secret_key")
        if previous is not None and key is not None and _mode(previous) != _mode(key):
            raise ValueError("must have the same mode (test or live) as PAYSTACK_SECRET_KEY")
        return previous

    def allows_return_to(self, url: str) -> bool:
        """Return True if a payer may be redirected to this URL."""
        origin, allowed = origin_of(url), self.payments_callback_origins
        return ANY in allowed or origin in (allowed or {origin_of(self.payments_public_url)})

    @property
    def webhook_keys(self) -> tuple[bytes, ...]:
        """The keys with which webhook signatures are checked: the current one, and the previous one during a key rotation."""
        keys = (self.paystack_secret_key, self.paystack_secret_key_previous)
        return tuple(key.get_secret_value().encode() for key in keys if key is not None)

    @property
    def mode(self) -> Mode:
        """The mode of our secret key, which Paystack's JSON calls `domain`. Test mode if there is no key."""
        return Mode.TEST if self.paystack_secret_key is None else _mode(self.paystack_secret_key)


settings = load_settings(PaymentsSettings)
