"""The settings of processes that use the broker: workers and some commands. The HTTP services run without them."""

from pydantic import Field, SecretStr

from kit.settings import Secret, Settings, load_settings


class BrokerSettings(Settings):
    amqp_url: Secret = Field(description="URL of RabbitMQ")


def load_amqp_url() -> SecretStr:
    """Return the URL of the broker, or exit with a message if AMQP_URL is not set."""
    return load_settings(BrokerSettings).amqp_url
