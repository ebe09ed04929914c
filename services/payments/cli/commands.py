"""The command line of payments."""

from contracts.topology import PAYMENTS_ORDERS
from kit.cli.app import service_cli
from kit.cli.audit import audit_cli
from kit.cli.dead_letters import dead_letters_cli
from kit.cli.reprocess import reprocess_command
from kit.cli.republish import republish_command
from services.payments.cli import backfill, holds, refunds, sweep, webhooks
from services.payments.cli.reconcile import reconcile
from services.payments.cli.status import status
from services.payments.cli.unrelated_charges import unrelated_charges
from services.payments.db import engine
from services.payments.models import AuditLogEntry, Inbox
from services.payments.refunds.undeliverable_orders import EVENT_ADAPTER
from services.payments.republish import republish
from services.payments.settings import settings

cli = service_cli(
    "services.payments",
    settings,
    database_url=settings.payments_database_url,
    migration_database_url=settings.payments_migration_database_url,
)
cli.command()(status)
cli.add_typer(webhooks.cli, name="webhooks")
cli.command()(sweep.sweep)
cli.command()(backfill.backfill)
cli.command()(reconcile)
cli.add_typer(holds.cli, name="holds")
cli.add_typer(refunds.cli, name="refunds")
cli.command(name="unrelated-charges")(unrelated_charges)
cli.command(name="republish")(republish_command("payments", republish, AuditLogEntry, engine))
cli.command(name="reprocess-events")(reprocess_command("payments", Inbox, AuditLogEntry, engine))
cli.add_typer(audit_cli("payments", AuditLogEntry, engine), name="audit")
cli.add_typer(dead_letters_cli("payments", PAYMENTS_ORDERS, EVENT_ADAPTER), name="dead-letters")
