"""The command line of payments. actions/ implements the commands."""

from contracts.topology import PAYMENTS_ACCOUNTS, PAYMENTS_ORDERS
from kit.cli.commands import add_event_commands, service_cli
from kit.cli.dead_letters import dead_letters_cli
from services.payments.cli import disputes, holds, jobs, payments, refunds, rejected_transfers, webhooks

PACKAGE = "services.payments"
cli = service_cli(PACKAGE)
cli.command()(jobs.status)
cli.add_typer(payments.cli, name="payments")
cli.command()(refunds.refund)
cli.add_typer(refunds.cli, name="refunds")
cli.add_typer(holds.cli, name="holds")
cli.add_typer(disputes.cli, name="disputes")
cli.add_typer(webhooks.cli, name="webhooks")
cli.command(name="unrelated-charges")(payments.unrelated_charges)
cli.add_typer(rejected_transfers.cli, name="rejected-transfers")
cli.command()(jobs.sweep)
cli.command()(jobs.backfill)
cli.command()(jobs.reconcile)
add_event_commands(cli, PACKAGE, republish=f"{PACKAGE}.republish:republish", inbox=f"{PACKAGE}.models:Inbox")
cli.add_typer(
    dead_letters_cli(PACKAGE, PAYMENTS_ORDERS, f"{PACKAGE}.consumed_events:EVENT_ADAPTER", "orders"),
    name="dead-letters",
)
cli.add_typer(
    dead_letters_cli(PACKAGE, PAYMENTS_ACCOUNTS, f"{PACKAGE}.consumed_events:EVENT_ADAPTER", "accounts"),
    name="account-dead-letters",
)
