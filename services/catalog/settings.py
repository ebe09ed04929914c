"""What catalog reads from the environment."""

from pydantic import Field

from kit.settings import Port, Secret, Settings, load_settings


class CatalogSettings(Settings):
    catalog_port: Port = 8002
    catalog_worker_port: Port = 8102
    catalog_database_url: Secret
    amqp_url: Secret
    jwks_url: str = Field(pattern=r"^https?://")
    catalog_reservation_seconds: int = Field(
        default=900, ge=1, le=7 * 86400, description="How long an unpaid order keeps what it reserved"
    )


settings = load_settings(CatalogSettings)
