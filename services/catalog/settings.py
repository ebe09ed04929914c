"""The settings of catalog, read from environment variables."""

from pydantic import Field

from kit.settings import DatabaseUrl, Port, Settings, load_settings


class CatalogSettings(Settings):
    catalog_port: Port = Field(default=8002, description="Port of the HTTP service")
    catalog_worker_port: Port = Field(default=8102, description="Port of the worker's health checks and metrics")
    catalog_database_url: DatabaseUrl = Field(description="Postgres URL of the catalog database")
    catalog_migration_database_url: DatabaseUrl | None = Field(
        default=None,
        description="URL of the catalog database for the role that owns the tables, for `migrate`; default: CATALOG_DATABASE_URL",
    )
    jwks_url: str = Field(pattern=r"^https?://", description="URL of auth's public keys")
    revocations_url: str | None = Field(
        default=None,
        pattern=r"^https?://",
        description="URL of auth's revocation list; default: /auth/revocations on the host of JWKS_URL",
    )
    catalog_reservation_seconds: int = Field(
        default=900, ge=1, le=7 * 86400, description="Seconds for which an unpaid order keeps its stock reserved"
    )


settings = load_settings(CatalogSettings)
