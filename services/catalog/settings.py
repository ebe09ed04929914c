"""The settings of catalog, read from environment variables."""

from pydantic import Field

from kit.fields import HttpUrl
from kit.settings import DatabaseUrl, Port, Secret, Settings, load_settings


class CatalogSettings(Settings):
    catalog_port: Port = Field(default=8002, description="Port of the HTTP service")
    catalog_worker_port: Port = Field(default=8102, description="Port of the worker's health checks and metrics")
    catalog_database_url: DatabaseUrl = Field(description="Postgres URL of the catalog database")
    catalog_migration_database_url: DatabaseUrl | None = Field(
        default=None,
        description="URL of the catalog database for the role that owns the tables, for `migrate`; default: CATALOG_DATABASE_URL",
    )
    catalog_status_token_secret: Secret | None = Field(
        default=None,
        description="Secret from which the key of status tokens is derived; default: CATALOG_DATABASE_URL, so all status tokens become "
        "invalid when this URL or its password changes",
    )
    jwks_url: HttpUrl = Field(description="URL of auth's public keys")
    revocations_url: HttpUrl | None = Field(
        default=None,
        description="URL of auth's revocation list; default: /auth/revocations on the host of JWKS_URL",
    )
    catalog_reservation_seconds: int = Field(
        default=900, ge=1, le=7 * 86400, description="Seconds for which a pending order keeps its stock reserved"
    )
    catalog_max_reservation_seconds: int = Field(
        default=4 * 3600,
        ge=0,
        le=7 * 86400,
        description="Seconds after which an order expires at the latest, even if a started payment can still be completed; 0: payments do "
        "not extend reservations",
    )
    catalog_max_pending_orders: int = Field(
        default=10, ge=1, le=1_000_000, description="Pending orders that one customer may have"
    )
    catalog_max_pending_orders_per_program: int = Field(
        default=1000,
        ge=1,
        le=1_000_000,
        description="Pending orders that one program may have for all its customers together",
    )
    catalog_max_reserved_share: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Share of a variant's stock that one customer's pending orders may reserve; ten units are always allowed",
    )
    catalog_max_units_per_order: int = Field(
        default=1000, ge=1, le=50_000, description="Units that one order may contain, of all products together"
    )
    catalog_delete_unpaid_orders_days: int = Field(
        default=90,
        ge=2,
        le=3650,
        description="Days after which expired and cancelled orders without a payment are deleted",
    )


settings = load_settings(CatalogSettings)
