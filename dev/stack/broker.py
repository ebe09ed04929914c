"""The broker of a stack: the URLs in the environment, or those of the stack's own node."""

from collections.abc import Mapping
from dataclasses import dataclass

from dev.process.program import NotStarted
from dev.servers.rabbitmq import RabbitMQ
from dev.stack.environment import from_environment
from dev.stack.names import BROKER_VARIABLES
from dev.stack.readiness import check_broker


@dataclass(frozen=True)
class BrokerUrls:
    """The AMQP URL of the administrator, and that of each service in BROKER_VARIABLES."""

    administrator: str
    services: Mapping[str, str]


def given_urls() -> BrokerUrls | None:
    """Return the URLs in the environment; None without AMQP_URL, which services without a URL of their own use."""
    administrator = from_environment("AMQP_URL")
    own = {service: from_environment(variable) for service, variable in BROKER_VARIABLES.items()}
    if administrator:
        return BrokerUrls(administrator, {service: url or administrator for service, url in own.items()})
    for service, variable in BROKER_VARIABLES.items():
        if own[service]:
            raise NotStarted(f"{variable} is set: set AMQP_URL too")
    return None


def urls_of_node(node: RabbitMQ) -> BrokerUrls:
    """Return the URLs of the stack's own node, where each service has a user with the permissions of deploy/rabbitmq/."""
    return BrokerUrls(node.url, {service: node.service_url(service) for service in BROKER_VARIABLES})


async def check_broker_urls(urls: BrokerUrls) -> None:
    """Raise NotStarted if a broker refuses a connection."""
    await check_broker("AMQP_URL", urls.administrator)
    for service, url in urls.services.items():
        if url != urls.administrator:
            await check_broker(BROKER_VARIABLES[service], url)
