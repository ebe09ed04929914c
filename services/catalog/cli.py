"""The command line of catalog."""

from contracts.topology import CATALOG_ACCOUNTS, CATALOG_PAYMENTS
from kit.cli.commands import add_event_commands, service_cli
from kit.cli.dead_letters import dead_letters_cli
from kit.cli.lazy import call

PACKAGE = "services.catalog"
cli = service_cli(PACKAGE)
add_event_commands(cli, PACKAGE, republish=f"{PACKAGE}.republish:republish", inbox=f"{PACKAGE}.models:InboxRow")
cli.add_typer(
    dead_letters_cli(PACKAGE, CATALOG_PAYMENTS, "contracts.events:EVENT_ADAPTER", "payments"), name="dead-letters"
)
cli.add_typer(
    dead_letters_cli(PACKAGE, CATALOG_ACCOUNTS, "contracts.events:EVENT_ADAPTER", "accounts"),
    name="account-dead-letters",
)


@cli.command(name="check-stock")
def check_stock() -> None:
    """Fail if a stock level differs from the sum of its movements or from what orders have reserved."""
    call(f"{PACKAGE}.stock.check:check_stock")
